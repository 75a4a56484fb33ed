"""What the workers on a bus are doing: asked over that bus, and put into words."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator, Mapping
from typing import Any

import psutil

from eacf.bus import Endpoints, Peer
from eacf.errors import BusError, WireError
from eacf.wire import CONTROL_REQUEST_TOPIC, StatusReply, control_reply_topic, decode_message, encode_status_request

FLOW_PREFIX = b"eacf.flow."
LAST_CALL_S = 0.1
"""Once every worker that is known of has answered, how long to listen for one more."""
MAX_REPORTS = 1000
"""Workers of which reports are kept; those of more are left out."""

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


def ask(endpoints: Endpoints, timeout_s: float) -> list[dict[str, Any]]:
    """The reports of all workers that answer within `timeout_s`, by worker id; none where there is no worker.

    Returns early once all have answered. BusError where no bus is there.
    """
    asker = secrets.token_hex(6)
    reply_to = control_reply_topic(asker)
    until = time.monotonic() + timeout_s
    with Peer(endpoints, f"eacf-status-{asker}", [reply_to], watch=True) as peer:
        topics: set[bytes] = set()
        reports: dict[str, dict[str, Any]] = {}
        asked = False
        while (left := until - time.monotonic()) > 0:
            expected = {topic.removeprefix(FLOW_PREFIX).decode() for topic in topics if topic.startswith(FLOW_PREFIX)}
            complete = bool(reports) and reports.keys() >= expected
            if not peer.wait(min(left, LAST_CALL_S) if complete else left) and complete:
                break
            for added, topic in peer.subscriptions():
                (topics.add if added else topics.discard)(topic)
            # Our own subscription comes round last of all that is needed: the answers will find us.
            if not asked and {reply_to, CONTROL_REQUEST_TOPIC} <= topics:
                asked = peer.send(CONTROL_REQUEST_TOPIC, encode_status_request(reply_to.decode()))
            for worker, report in _answers(peer):
                if len(reports) < MAX_REPORTS:
                    reports[worker] = report
        if reply_to not in topics:
            raise BusError(
                f"no bus at {endpoints.subscribe} and {endpoints.publish}: start Zeek with its ZeroMQ backend, or say "
                "where the bus is (--subscribe-endpoint, --publish-endpoint)"
            )
    return [reports[worker] for worker in sorted(reports)]


def _answers(peer: Peer) -> Iterator[tuple[str, dict[str, Any]]]:
    """Reports that have arrived; what is none is passed over."""
    for frames in peer.receive(MAX_REPORTS):
        try:
            message = decode_message(frames[-1])
            report = json.loads(message.report) if isinstance(message, StatusReply) else None
        except (WireError, ValueError, RecursionError):
            continue
        if isinstance(message, StatusReply) and isinstance(report, dict):
            yield message.worker, report


def render(report: Mapping[str, Any]) -> str:
    """A report in words, one thing a line. Fields that it lacks are shown as "-"."""
    return "\n".join(f"{name:<18}{_printable(text)}" for name, text in _lines(report))


def _lines(report: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    def at(*path: str) -> Any:
        value: Any = report
        for key in path:
            value = value.get(key) if isinstance(value, Mapping) else None
        return value

    yield "worker", f"{_text(at('worker'))} (eacf {_text(at('version'))}, {_text(at('runtime'))})"
    yield "up for", _duration(at("uptime_s"))
    yield "bundle", f"{_text(at('bundle', 'name'))} {_text(at('bundle', 'version'))} (id {_text(at('bundle', 'id'))})"
    yield "reloads", f"{_text(at('reloads', 'done'))}, and {_text(at('reloads', 'failed'))} that failed"
    yield "messages in", _text(at("messages_in"))
    yield "flows in", _text(at("flows_in"))
    abstained, refused = _text(at("abstained")), _text(at("refused"))
    yield "verdicts out", f"{_text(at('verdicts_out'))} ({abstained} abstained, {refused} refused)"
    yield "flows dropped", _by_name(at("dropped"))
    yield "malformed", _by_name(at("malformed"))
    yield "queue", f"{_text(at('queue', 'flows'))} of {_text(at('queue', 'limit_flows'))} flows"
    quantiles = ", ".join(f"{name} {_text(at('latency_ms', name))}" for name in ("p50", "p90", "p99", "max"))
    yield "latency in ms", f"{quantiles} (of {_text(at('latency_ms', 'flows'))} flows of the last two minutes)"
    yield "batches", _by_name(at("batches", "sizes"), "of up to ")
    memory = at("process", "memory_bytes")
    megabytes = _text(round(memory / 1e6)) if isinstance(memory, (int, float)) else "-"
    yield (
        "process",
        f"{_text(at('process', 'cpu_s'))} s of CPU, {megabytes} MB, {_text(at('process', 'threads'))} threads",
    )


def _by_name(counts: object, before: str = "") -> str:
    """``3 full, 4 late``, or ``none``."""
    if not isinstance(counts, Mapping):
        return "-"
    return ", ".join(f"{_text(count)} {before}{name}" for name, count in counts.items() if count) or "none"


def _text(value: object) -> str:
    return "-" if value is None else f"{value:,}" if isinstance(value, (int, float)) else str(value)[:100]


def _duration(seconds: object) -> str:
    if not isinstance(seconds, (int, float)):
        return "-"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours // 24} d {hours % 24} h {minutes} min" if hours >= 24 else f"{hours} h {minutes} min {rest} s"


def _printable(text: str) -> str:
    """A report comes from the bus: nothing in it may steer the terminal."""
    return "".join(character if character.isprintable() else "?" for character in text)
