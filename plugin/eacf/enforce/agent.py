"""The agent without I/O: messages in, and what is to be said out. Time is an argument, the kernel somebody else's.

A turn is: :meth:`Agent.receive` for each message, the ledger's changes applied by the caller, then :meth:`Agent.due`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import eacf
from eacf.enforce.asked import KINDS
from eacf.enforce.ledger import REFUSED, Ledger, Reply
from eacf.enforce.table import Account
from eacf.engine.account import Latency
from eacf.engine.notices import Notices
from eacf.errors import WireError
from eacf.policy import Policy
from eacf.wire import (
    CONTROL_REQUEST_TOPIC,
    FORMAT,
    MAX_ACTS,
    Acted,
    Acts,
    StatusRequest,
    Unacts,
    decode_message,
    encode_acted,
    encode_status_reply,
    enforce_topic,
    is_control_reply_topic,
    is_enforced_topic,
)

MAX_ASKERS: Final = 16
"""Status requests that wait; one more is refused."""
CONTROL_PAUSE_S: Final = 0.1
"""Between two status reports."""
MAX_WHY: Final = 200
"""Bytes of a reason that go over the bus."""


class Message(NamedTuple):
    """To be published."""

    topic: bytes
    body: bytes


class Agent:
    """See the module."""

    def __init__(
        self,
        name: str,
        policy: Policy,
        *,
        started: float,
        account: Account,
        process: Callable[[], Mapping[str, float]] = dict,
    ) -> None:
        """`name`: 12 lower-case hex digits. `account`: of the table, read only."""
        self.name = name
        self.topic = enforce_topic(name)
        self.ledger = Ledger(policy, started)
        self.malformed: Counter[str] = Counter()
        """Messages that could not be read, by kind."""
        self.unsent = 0
        """Messages that the socket would not take."""
        self.restored = 0
        self.reloads: Counter[str] = Counter()
        """Policies that were read again, by result: "done", "refused"."""
        self._messages = 0
        self._acts: Counter[tuple[str, str]] = Counter()
        self._refusals: Counter[str] = Counter()
        self._started = started
        self._account = account
        self._process = process
        self._latency = Latency(started)
        self._notices = Notices()
        self._askers: set[str] = set()
        self._control_free_at = started

    def receive(self, frames: Sequence[bytes], now: float) -> None:
        """Take one message as it came from the bus."""
        self._messages += 1
        sender = frames[1] if len(frames) > 1 else b""
        try:
            if len(frames) != 4 or frames[2] != FORMAT:
                raise WireError("frames", "not four frames of the contract's format")
            self._take(frames[0], decode_message(frames[3]), now)
        except WireError as error:
            self.malformed[error.kind] += 1
            self._notices.note("messages not taken", f"from {sender[:64].decode('ascii', 'replace')!r}: {error}")

    def _take(self, topic: bytes, message: object, now: float) -> None:
        match message:
            case Acts(reply_to=reply_to, acts=acts) if topic == self.topic:
                _may_answer(reply_to)
                for act in acts:
                    self.ledger.ask(act, reply_to, now)
            case Unacts(reply_to=reply_to, ids=ids) if topic == self.topic:
                _may_answer(reply_to)
                for id_ in ids:
                    self.ledger.take_away(id_, reply_to)
            case StatusRequest(reply_to=reply_to) if topic.startswith(CONTROL_REQUEST_TOPIC):
                if not is_control_reply_topic(reply_to):
                    raise WireError("reply_to", f"no status report may be sent to {reply_to!r}")
                if len(self._askers) >= MAX_ASKERS and reply_to not in self._askers:
                    raise WireError("askers", f"more than {MAX_ASKERS} status requests wait")
                self._askers.add(reply_to)
            case _:
                raise WireError("event", f"{type(message).__name__} is not for this topic")

    def due(self, now: float) -> Iterator[Message]:
        """What is to be said now that the kernel has what the ledger wanted: answers, then status reports."""
        by_topic: dict[str, list[Reply]] = {}
        for reply in self.ledger.settled():
            self._count(reply, now)
            by_topic.setdefault(reply.reply_to, []).append(reply)
        for reply_to, replies in by_topic.items():
            for at in range(0, len(replies), MAX_ACTS):
                answers = [Acted(each.id, each.outcome, _short(each.why)) for each in replies[at : at + MAX_ACTS]]
                yield Message(reply_to.encode(), encode_acted(self.name, answers))
        if self._askers and now >= self._control_free_at:
            report = json.dumps(self.status(now), separators=(",", ":"))
            for asker in sorted(self._askers):
                yield Message(asker.encode(), encode_status_reply(self.name, report))
            self._askers.clear()
            self._control_free_at = now + CONTROL_PAUSE_S

    def _count(self, reply: Reply, now: float) -> None:
        if not reply.kind:
            return
        self._acts[reply.kind, reply.outcome] += 1
        if reply.outcome == REFUSED:
            self._refusals[reply.reason] += 1
            if reply.reason != "dry_run":
                self._notices.note(f"acts refused ({reply.reason})", f"{reply.id}: {reply.why}")
        else:
            self._latency.add(now - reply.since, 1, now)

    def next_deadline(self) -> float | None:
        """When something is due that no message brings."""
        control = self._control_free_at if self._askers else None
        times = (self.ledger.next_end(), control, self._notices.next_deadline())
        return min((time for time in times if time is not None), default=None)

    def notices(self, now: float) -> list[str]:
        """Lines for the log."""
        return self._notices.due(now)

    def in_place(self) -> int:
        """Rules, of any kind."""
        return len(self.ledger.rules)

    def status(self, now: float) -> dict[str, Any]:
        """Report for ``EACF::status_reply`` and for metrics; changes nothing, so that another thread may ask."""
        policy, kinds = self.ledger.policy, self.ledger.by_kind
        acts: dict[str, dict[str, int]] = {}
        for (kind, outcome), count in self._acts.copy().items():
            acts.setdefault(kind, {})[outcome] = count
        account = self._account
        return {
            "kind": "enforce",
            "worker": self.name,
            "version": eacf.__version__,
            "uptime_s": round(now - self._started, 3),
            "mode": policy.mode,
            "messages_in": self._messages,
            "malformed": dict(self.malformed.copy()),
            "unsent": self.unsent,
            "acts": acts,
            "refused": dict(self._refusals.copy()),
            "removed": dict(self.ledger.removed.copy()),
            "restored": self.restored,
            "rules": {kind: kinds[kind] for kind in KINDS},
            "bounds": {
                "rules": policy.bounds.rules,
                "rules_per_second": policy.bounds.rules_per_second,
                "rules_per_host": policy.bounds.rules_per_host,
            },
            "reloads": {result: self.reloads[result] for result in ("done", "refused")},
            "nft": {
                "transactions": account.transactions,
                "failed": account.failed,
                "seconds": round(account.seconds, 6),
                "rebuilt": account.rebuilt,
            },
            "latency_ms": self._latency.report(now),
            "process": dict(self._process()),
        }


def _may_answer(reply_to: str) -> None:
    """WireError where an answer is wanted on a topic that is no Zeek process's."""
    if not is_enforced_topic(reply_to):
        raise WireError("reply_to", f"no answer may be sent to {reply_to[:100]!r}")


def _short(why: str | None) -> str | None:
    """A reason that fits; it may hold a class's name as it came."""
    return None if why is None else why.encode(errors="replace")[:MAX_WHY].decode(errors="ignore")
