"""Whether a rule is lost: 10,000 at once, then 500 new ones a second, over a real bus to a real agent; the kernel is asked what is there.

Half of them are drops and half are priorities, half are IPv4 and half are IPv6. A rule is lost where the agent does not say that it is in
place, or where the kernel has not both directions of it.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any

import network
from programs import EACF, READY_S, program

from eacf.bus import EmbeddedBus, Peer
from eacf.errors import SettingError
from eacf.wire import (
    ENFORCE_PREFIX,
    MAX_ACTS,
    Act,
    ActedReply,
    decode_message,
    encode_acts,
    enforced_topic,
)

AT_ONCE, A_SECOND, SECONDS = 10_000, 500, 30
STEP_S = 0.05
NODE = "0123456789ab"
POLICY = """\
mode = "act"
[bounds]
rules = 60000
rules_per_second = 20000
rules_per_host = 1000
[unknown]
priority = "low"
"""


def measure(home: Path) -> dict[str, Any]:
    """Figures ``rules_*``."""
    with network.namespaces() as made:
        agent = Agent(home, made.gateway)
        with agent.running():
            began = time.monotonic()
            agent.ask(acts(0, AT_ONCE))
            at_once_s = time.monotonic() - began
            number, next_at = AT_ONCE, time.monotonic()
            for _ in range(round(SECONDS / STEP_S)):
                size = round(A_SECOND * STEP_S)
                agent.send(acts(number, size))
                number += size
                next_at += STEP_S
                agent.hear(until=next_at)
            agent.wait(number)
            kernel = agent.in_kernel()
    latencies = sorted(agent.latencies[AT_ONCE:])
    missing = number - sum(outcome == "in place" for outcome in agent.outcomes.values())
    return {
        "rules_asked": number,
        "rules_lost": max(missing, number - kernel // 2),
        "rules_at_once_s": at_once_s,
        "rules_answer_p50_ms": 1e3 * statistics.median(latencies),
        "rules_answer_p99_ms": 1e3 * latencies[int(len(latencies) * 0.99)],
    }


def acts(first: int, count: int) -> list[Act]:
    """Acts on connections that nobody has."""
    made = []
    for number in range(first, first + count):
        v6 = number % 2
        client, server = (
            (IPv6Address((0x20010DB8 << 96) + number), IPv6Address((0x20010DB8 << 96) + (1 << 80) + 1))
            if v6
            else (IPv4Address((10 << 24) + number), IPv4Address("192.0.2.1"))
        )
        kind, priority = ("drop", None) if number % 4 < 2 else ("qos", "low")
        marks = (0, "unknown", priority, None, None)
        made.append(
            Act(f"{NODE}.{number}", kind, client, 1024 + number % 60_000, server, 443, "tcp", *marks, lasts_s=3600.0)
        )
    return made


class Agent:
    """A real one in a namespace, on a bus that it shares with us; its rules outlive its restarts."""

    def __init__(self, home: Path, namespace: str, policy: str = POLICY) -> None:
        home.mkdir(exist_ok=True)
        self._home, self._namespace = home, namespace
        self._policy = home / "policy.toml"
        self._policy.write_text(policy)
        self.outcomes: dict[str, str] = {}
        self.latencies: list[float] = []
        self._sent: dict[str, float] = {}
        self._peer: Peer | None = None
        self._topic = b""

    @contextmanager
    def running(self) -> Iterator[None]:
        """The agent, on the bus and with its table in place."""
        with EmbeddedBus() as bus, Peer(bus.endpoints, "bench-act", [enforced_topic(NODE)], watch=True) as peer:
            ends = ("--subscribe-endpoint", bus.endpoints.subscribe, "--publish-endpoint", bus.endpoints.publish)
            state = ("--policy", str(self._policy), "--state", str(self._home))
            inside = network.inside(self._namespace)
            with program(self._home / "enforce.log", *inside, *EACF, "enforce", *state, *ends):
                self._peer, self._topic = peer, b""
                limit = time.monotonic() + READY_S
                while not self._topic:
                    if time.monotonic() > limit:
                        raise SettingError(f"the agent did not come to the bus; see {self._home}/enforce.log")
                    peer.wait(0.1)
                    for added, topic in peer.subscriptions():
                        if added and topic.startswith(ENFORCE_PREFIX):
                            self._topic = topic
                yield

    def restored(self) -> bool:
        """Whether rules of its last run are in the kernel."""
        return self.in_kernel() > 0

    def ask(self, asked: Sequence[Act]) -> None:
        """Send, and wait for every answer."""
        total = len(self._sent) + len(asked)
        self.send(asked)
        self.wait(total)

    def send(self, asked: Sequence[Act]) -> None:
        """Send, as many a message as fit."""
        assert self._peer is not None
        for start in range(0, len(asked), MAX_ACTS):
            part = asked[start : start + MAX_ACTS]
            now = time.monotonic()
            self._sent |= {act.id: now for act in part}
            self._peer.send(self._topic, encode_acts(enforced_topic(NODE).decode(), part))

    def hear(self, until: float) -> None:
        """Take answers until then."""
        assert self._peer is not None
        while (now := time.monotonic()) < until:
            self._peer.wait(until - now)
            for frames in self._peer.receive(1000):
                message = decode_message(frames[3])
                if isinstance(message, ActedReply):
                    now = time.monotonic()
                    for answer in message.answers:
                        self.outcomes[answer.id] = answer.outcome
                        self.latencies.append(now - self._sent[answer.id])

    def wait(self, total: int) -> None:
        """Until so many are answered, or it takes too long; what is missing then is lost."""
        limit = time.monotonic() + READY_S
        while len(self.outcomes) < total and time.monotonic() < limit:
            self.hear(time.monotonic() + 0.05)

    def in_kernel(self) -> int:
        """Elements that are in place: two a connection."""
        return in_kernel(self._namespace)


def in_kernel(namespace: str) -> int:
    """Elements of the agent's maps there: two a connection."""
    listed = subprocess.run(
        [*network.inside(namespace), "nft", "-j", "list", "table", "inet", "eacf"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    maps = [each["map"] for each in json.loads(listed)["nftables"] if "map" in each]
    return sum(len(each.get("elem", [])) for each in maps)
