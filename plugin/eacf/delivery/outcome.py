"""What becomes of a push or an order, and the messages that say so."""

from __future__ import annotations

from typing import NamedTuple

from eacf.wire import MAX_REASON

TAKEN = ("serving", "shadow", "kept", "off")


class Letter(NamedTuple):
    """A message for the bus."""

    topic: bytes
    body: bytes


class Outcome(NamedTuple):
    """What a worker made of it."""

    what: str
    """``serving``, ``shadow``, ``kept``, ``off`` (an order ended the shadow) or ``refused``, as the worker says;
    ``silent`` (it listens and said nothing), ``gone`` (it left the bus), ``deaf`` (it takes no models)."""
    reason: str = ""

    @property
    def taken(self) -> bool:
        return self.what in TAKEN


def heard(what: str, reason: str) -> Outcome:
    """What somebody on the bus says of himself: on one line, and with nothing that could steer a terminal."""
    return Outcome(*("".join(each if each.isprintable() else "?" for each in text) for text in (what, reason)))


def said(reason: str) -> str:
    """A reason as a message may hold it."""
    data = reason.encode("utf-8", "replace")
    return reason if len(data) <= MAX_REASON else data[: MAX_REASON - 4].decode("utf-8", "ignore") + " ..."
