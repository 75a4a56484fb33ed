"""What the workers, Zeek processes, agents and relays on a bus are doing: asked over that bus."""

from __future__ import annotations

import json
import math
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

import psutil

from eacf.bus import Endpoints, Peer
from eacf.errors import WireError
from eacf.reports import kind_of, text
from eacf.wire import (
    CONTROL_REQUEST_TOPIC,
    ENFORCE_PREFIX,
    StatusReply,
    control_reply_topic,
    decode_message,
    encode_status_request,
)

KINDS = ("worker", "zeek", "enforce", "relay")
"""Those who answer, in the order in which they are shown; kinds that this release does not know come last."""
WHAT = {"worker": "worker", "zeek": "Zeek process", "enforce": "agent", "relay": "relay"}
"""What each is called."""
_LISTENERS = (
    (b"eacf.flow.", "worker", b""),
    (b"eacf.verdict.", "zeek", b"."),
    (ENFORCE_PREFIX, "enforce", b""),
)
ASK_AGAIN_S = 0.5
"""Whoever has not answered by then is asked again: one that was asked by another a moment ago may pass us over."""
LAST_CALL_S = 0.1
"""Once everybody who is known of has answered, how long to listen for one more."""
MAX_REPORTS = 1000
"""Reports that are kept; more are left out."""

_PROCESS = psutil.Process()


def process_facts() -> dict[str, float]:
    """CPU time since the start, resident memory and threads of this process."""
    with _PROCESS.oneshot():
        cpu = _PROCESS.cpu_times()
        return {
            "cpu_s": round(cpu.user + cpu.system, 3),
            "memory_bytes": _PROCESS.memory_info().rss,
            "threads": _PROCESS.num_threads(),
        }


class Party(NamedTuple):
    """One that can answer."""

    kind: str
    """As :func:`eacf.reports.kind_of` says it."""
    name: str
    """Id of a worker, an agent or a relay, or node id of a Zeek process. As it came: not yet fit to be shown."""

    def order(self) -> tuple[int, str, str]:
        """Workers first, each kind by name."""
        return (KINDS.index(self.kind) if self.kind in KINDS else len(KINDS)), self.kind, self.name

    def __str__(self) -> str:
        return f"{WHAT.get(self.kind, text(self.kind))} {text(self.name)}"


@dataclass
class Answers:
    """What came of a question to all."""

    reports: dict[Party, dict[str, Any]] = field(default_factory=dict)
    """By who said it: workers first, each kind by name."""
    silent: list[Party] = field(default_factory=list)
    """Those whose subscription is on the bus and who did not answer."""
    asked: float = 0.0
    heard: dict[Party, float] = field(default_factory=dict)
    """When we first asked and when each answer came, in seconds since the epoch: their own clocks are held against it."""


def ask(endpoints: Endpoints, timeout_s: float) -> list[dict[str, Any]]:
    """The reports of :func:`inquire` alone."""
    return list(inquire(endpoints, timeout_s).reports.values())


class Asker:
    """One that asks all who answer, again and again. Belongs to the thread that made it; used as a context, or closed."""

    def __init__(self, endpoints: Endpoints) -> None:
        """BusError where an endpoint is not one."""
        asker = secrets.token_hex(6)
        self.endpoints = endpoints
        self._reply_to = control_reply_topic(asker)
        self.peer = Peer(endpoints, f"eacf-status-{asker}", [self._reply_to], watch=True)
        self.present: set[Party] = set()
        """Those whose subscription is on the bus, as many as :data:`MAX_REPORTS`. Relays have none that names them."""
        self.on_bus = False
        """Whether what is sent would come to us: our own subscription comes round last of all that is needed."""
        self._listened_to = False

    def hear(self) -> list[tuple[Party, dict[str, Any]]]:
        """The reports that have arrived; what is none is passed over. Takes up who has come and who has gone."""
        for added, topic in self.peer.subscriptions():
            if topic == self._reply_to:
                self.on_bus = added
            elif topic == CONTROL_REQUEST_TOPIC:
                self._listened_to = added
            elif (party := party_of(topic)) is not None and (not added or len(self.present) < MAX_REPORTS):
                (self.present.add if added else self.present.discard)(party)
        return list(_reports(self.peer))

    def ask(self) -> bool:
        """Send the question; False where it would reach nobody, or the answer not us."""
        if not (self.on_bus and self._listened_to):
            return False
        return self.peer.send(CONTROL_REQUEST_TOPIC, encode_status_request(self._reply_to.decode()))

    def close(self) -> None:
        """Leave the bus."""
        self.peer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def inquire(endpoints: Endpoints, timeout_s: float) -> Answers:
    """Ask all that answer on a bus, and take what comes within `timeout_s`.

    Returns early once all have answered whose subscriptions are seen. BusError where no bus is there.
    """
    until = time.monotonic() + timeout_s
    answers = Answers()
    with Asker(endpoints) as asker:
        ask_at = 0.0
        while (left := until - time.monotonic()) > 0:
            complete = bool(answers.reports) and answers.reports.keys() >= asker.present
            if not asker.peer.wait(min(left, LAST_CALL_S if complete else ASK_AGAIN_S)) and complete:
                break
            reports = asker.hear()
            if time.monotonic() >= ask_at and not complete and asker.ask():
                answers.asked = answers.asked or time.time()
                ask_at = time.monotonic() + ASK_AGAIN_S
            for party, report in reports:
                if len(answers.reports) < MAX_REPORTS:
                    answers.reports[party] = report
                    answers.heard[party] = time.time()
        if not asker.on_bus:
            raise asker.peer.absence()
        answers.silent = sorted(asker.present - answers.reports.keys(), key=Party.order)
    answers.reports = dict(sorted(answers.reports.items(), key=lambda each: each[0].order()))
    return answers


def party_of(topic: bytes) -> Party | None:
    """Who listens there: a worker to its flows, a Zeek process to its verdicts, an agent to its acts. A topic of another
    form is nobody's."""
    for prefix, kind, end in _LISTENERS:
        if topic.startswith(prefix) and topic.endswith(end) and len(topic) > len(prefix) + len(end):
            return Party(kind, topic[len(prefix) : len(topic) - len(end)].decode("ascii", "replace"))
    return None


def _reports(peer: Peer) -> Iterator[tuple[Party, dict[str, Any]]]:
    for frames in peer.receive(MAX_REPORTS):
        try:
            message = decode_message(frames[-1])
            report = _parsed(message.report) if isinstance(message, StatusReply) else None
        except (WireError, ValueError, RecursionError):
            continue
        if isinstance(message, StatusReply) and isinstance(report, dict):
            yield Party(kind_of(report), message.worker), report


def _parsed(report: str) -> object:
    """JSON, without the numbers that only Python's reader takes for JSON (and its writer would repeat)."""

    def refuse(name: str) -> None:
        raise ValueError(f"{name} is not JSON")

    def finite(digits: str) -> float | None:
        return value if math.isfinite(value := float(digits)) else None

    return json.loads(report, parse_constant=refuse, parse_float=finite)
