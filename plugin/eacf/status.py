"""What the workers and Zeek processes on a bus are doing: asked over that bus."""

from __future__ import annotations

import json
import math
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import psutil

from eacf.bus import Endpoints, Peer
from eacf.errors import WireError
from eacf.reports import is_zeek
from eacf.wire import CONTROL_REQUEST_TOPIC, StatusReply, control_reply_topic, decode_message, encode_status_request

FLOW_PREFIX, VERDICT_PREFIX = b"eacf.flow.", b"eacf.verdict."
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

    is_zeek: bool
    name: str
    """Id of a worker, or node id of a Zeek process."""


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


def inquire(endpoints: Endpoints, timeout_s: float) -> Answers:
    """Ask all workers and Zeek processes, and take what comes within `timeout_s`.

    Returns early once all have answered whose subscriptions are seen. BusError where no bus is there.
    """
    asker = secrets.token_hex(6)
    reply_to = control_reply_topic(asker)
    until = time.monotonic() + timeout_s
    answers = Answers()
    with Peer(endpoints, f"eacf-status-{asker}", [reply_to], watch=True) as peer:
        topics: set[bytes] = set()
        ask_at = 0.0
        while (left := until - time.monotonic()) > 0:
            complete = bool(answers.reports) and answers.reports.keys() >= _parties(topics)
            if not peer.wait(min(left, LAST_CALL_S if complete else ASK_AGAIN_S)) and complete:
                break
            for added, topic in peer.subscriptions():
                (topics.add if added else topics.discard)(topic)
            # Our own subscription comes round last of all that is needed: the answers will find us.
            ready = {reply_to, CONTROL_REQUEST_TOPIC} <= topics and time.monotonic() >= ask_at and not complete
            if ready and peer.send(CONTROL_REQUEST_TOPIC, encode_status_request(reply_to.decode())):
                answers.asked = answers.asked or time.time()
                ask_at = time.monotonic() + ASK_AGAIN_S
            for party, report in _reports(peer):
                if len(answers.reports) < MAX_REPORTS:
                    answers.reports[party] = report
                    answers.heard[party] = time.time()
        if reply_to not in topics:
            raise peer.absence()
    answers.reports = dict(sorted(answers.reports.items()))
    answers.silent = sorted(_parties(topics) - answers.reports.keys())[:MAX_REPORTS]
    return answers


def _parties(topics: set[bytes]) -> set[Party]:
    """Who listens: a worker to its flows, a Zeek process to its verdicts. A topic of another form is nobody's."""
    parties = set()
    for topic in topics:
        name = topic.decode("ascii", "replace")
        if topic.startswith(FLOW_PREFIX) and len(topic) > len(FLOW_PREFIX):
            parties.add(Party(False, name[len(FLOW_PREFIX) :]))
        elif topic.startswith(VERDICT_PREFIX) and topic.endswith(b".") and len(topic) > len(VERDICT_PREFIX) + 1:
            parties.add(Party(True, name[len(VERDICT_PREFIX) : -1]))
    return parties


def _reports(peer: Peer) -> Iterator[tuple[Party, dict[str, Any]]]:
    """Reports that have arrived; what is none is passed over."""
    for frames in peer.receive(MAX_REPORTS):
        try:
            message = decode_message(frames[-1])
            report = _parsed(message.report) if isinstance(message, StatusReply) else None
        except (WireError, ValueError, RecursionError):
            continue
        if isinstance(message, StatusReply) and isinstance(report, dict):
            yield Party(is_zeek(report), message.worker), report


def _parsed(report: str) -> object:
    """JSON, without the numbers that only Python's reader takes for JSON (and its writer would repeat)."""

    def refuse(name: str) -> None:
        raise ValueError(f"{name} is not JSON")

    def finite(digits: str) -> float | None:
        return value if math.isfinite(value := float(digits)) else None

    return json.loads(report, parse_constant=refuse, parse_float=finite)
