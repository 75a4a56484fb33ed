"""Signals as flags, in a process of its own, and the wait for a bus."""

from __future__ import annotations

import select
import signal
import subprocess
import sys
import time

from eacf.bus import EmbeddedBus, Endpoints, Peer
from eacf.service import Signals, join

WAITS = """
import select, signal, sys
from eacf.service import Signals
with Signals() as signals:
    print("ready", flush=True)
    while not signals.end:
        select.select([signals.descriptor], [], [])
        signals.clear()
        if signals.reload:
            signals.reload = False
            print("reload", flush=True)
print("end", flush=True)
select.select([], [], [], 60)
"""


def test_signals_are_flags_and_the_second_one_to_end_ends_it() -> None:
    process = subprocess.Popen([sys.executable, "-c", WAITS], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    for _ in range(3):
        process.send_signal(signal.SIGHUP)
        assert process.stdout.readline() == "reload\n"
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "end\n"
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGTERM


def test_wake_is_for_other_threads() -> None:
    signals = Signals()
    assert select.select([signals.descriptor], [], [], 0)[0] == []
    for _ in range(100_000):  # more than the descriptor holds
        signals.wake()
    assert select.select([signals.descriptor], [], [], 0)[0] == [signals.descriptor]


def test_join_waits_for_its_own_subscription_and_tells_of_all() -> None:
    seen: list[tuple[bool, bytes]] = []
    with (
        EmbeddedBus() as bus,
        Peer(bus.endpoints, "other", [b"first.", b"second."]),
        Peer(bus.endpoints, "one", [b"own.topic"], watch=True) as peer,
    ):
        signals, until = Signals(), time.monotonic() + 60
        assert join(peer, b"own.topic", signals, bus.endpoints, lambda *change: seen.append(change), until=until)
        assert (True, b"own.topic") in seen
        while {topic for _, topic in seen} != {b"first.", b"second.", b"own.topic"}:
            assert time.monotonic() < until
            peer.wait(0.1)
            seen += peer.subscriptions()


def test_join_ends_without_a_bus() -> None:
    nowhere = Endpoints("ipc:///tmp/eacf-nobody-here-a", "ipc:///tmp/eacf-nobody-here-b")
    with Peer(nowhere, "one", [b"own.topic"], watch=True) as peer:
        signals = Signals()
        assert not join(peer, b"own.topic", signals, nowhere, lambda *_: None, until=time.monotonic() + 0.2)
        signals.end = True
        assert not join(peer, b"own.topic", signals, nowhere, lambda *_: None)
