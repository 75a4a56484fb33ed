"""What a client may say and hear, by its role. Pure.

A bus has no such rules: whoever is on it can raise any event in Zeek and listen to everything. Through a relay a client says the
events of its part, on the topics where its part says them, and hears the topics that its part listens to. Nothing else
passes, whatever the role: in particular no event of Zeek itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from eacf.wire import CONTROL_REQUEST_TOPIC, FORMAT, MAX_BODY, ZEEK_TOPIC, envelope

MAX_SENDER = 255
"""Bytes of a sender's node id."""

_ID = rb"[0-9a-f]{12}"
_VERDICT = rb"eacf\.verdict\.[!-\-/-~]{1,200}\."
_ENFORCED = rb"eacf\.enforced\." + _ID + rb"\."
_REPLY = rb"eacf\.control\.reply\." + _ID + rb"\."
_MODEL = rb"eacf\.control\.model\." + _ID
_REQUEST, _ZEEK = re.escape(CONTROL_REQUEST_TOPIC), re.escape(ZEEK_TOPIC)


class Role(NamedTuple):
    """Patterns of whole topics. A subscription must be one, so that none asks for a prefix of what others hear."""

    says: Mapping[bytes, bytes]
    """Event: where it may be said."""
    hears: Sequence[bytes]


ROLES: dict[str, Role] = {
    "worker": Role(
        {
            b"EACF::hello": _ZEEK,
            b"EACF::alarm": _ZEEK,
            b"EACF::verdicts": _VERDICT,
            b"EACF::status_reply": _REPLY,
            b"EACF::model_want": _REPLY,
            b"EACF::model_done": _REPLY,
            b"EACF::model_ordered": _REPLY,
        },
        (rb"eacf\.flow\." + _ID, _MODEL, _REQUEST),
    ),
    "collect": Role({b"EACF::tap_ready": _VERDICT}, (rb"eacf\.tap\." + _ID,)),
    "train": Role(
        {
            b"EACF::model_offer": _MODEL,
            b"EACF::model_chunk": _MODEL,
            b"EACF::model_order": _MODEL,
            b"EACF::status_request": _REQUEST,
        },
        (_REPLY, _ZEEK),
    ),
    "status": Role({b"EACF::status_request": _REQUEST}, (_REPLY,)),
    "enforce": Role({b"EACF::acted": _ENFORCED, b"EACF::status_reply": _REPLY}, (rb"eacf\.enforce\." + _ID, _REQUEST)),
}
"""By name: `eacf worker`; `eacf collect` and `eacf record`; `eacf-train push`, `eacf-train watch` and `eacf model`; `eacf status`,
`eacf doctor` and `eacf top`; `eacf enforce`."""
ANY = ""
"""The role of a client that was given none: all of them together."""

_SIZE = len(envelope.prefix("", 0)) - 4
_STARTS = frozenset(envelope.prefix("", 0, metadata=metadata)[:_SIZE] for metadata in (False, True))


def event_of(body: bytes) -> bytes | None:
    """The name of the event in a body, without decoding the rest; None where it is none."""
    if body[:_SIZE] not in _STARTS or body[_SIZE : _SIZE + 1] != b"\x05":
        return None
    size = body[_SIZE + 1 : _SIZE + 2]
    return body[_SIZE + 2 : _SIZE + 2 + size[0]] if size else None


class Rule:
    """A role as one lookup."""

    def __init__(self, role: str) -> None:
        roles = ROLES.values() if role == ANY else (ROLES[role],)
        says: dict[bytes, set[bytes]] = {}
        for each in roles:
            for event, topic in each.says.items():
                says.setdefault(event, set()).add(topic)
        self._says = {event: re.compile(b"|".join(sorted(topics))) for event, topics in says.items()}
        self._hears = re.compile(b"|".join(pattern for each in roles for pattern in each.hears))

    def refuses(self, frames: Sequence[bytes]) -> str | None:
        """Why a message is not passed on; None: it is."""
        if len(frames) != 4 or frames[2] != FORMAT or len(frames[1]) > MAX_SENDER or len(frames[3]) > MAX_BODY:
            return "form"
        event = event_of(frames[3])
        if event is None:
            return "form"
        topic = self._says.get(event)
        if topic is None:
            return "event"
        return None if topic.fullmatch(frames[0]) else "topic"

    def may_hear(self, topic: bytes) -> bool:
        """Whether that subscription is granted."""
        return self._hears.fullmatch(topic) is not None
