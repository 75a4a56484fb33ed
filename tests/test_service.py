"""Signals as flags, in a process of its own; what a manager hears on a real datagram socket; the wait for a bus."""

from __future__ import annotations

import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from eacf.bus import EmbeddedBus, Endpoints, Peer
from eacf.service import Notifier, Signals, join

if TYPE_CHECKING:
    from tests.conftest import Manager

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


both = pytest.mark.parametrize("manager", ["path", "abstract"], indirect=True)


@both
def test_a_manager_hears_of_the_life_of_a_service(manager: Manager) -> None:
    notifier = Notifier.of({"NOTIFY_SOCKET": manager.name, "WATCHDOG_USEC": "8000000"})
    assert notifier.interval_s == 2.0
    notifier.ready("waits\nfor WATCHDOG=trigger")
    notifier.status("works")
    notifier.status("works")
    notifier.stopping(3.5)
    assert manager.hear() == [
        "READY=1\nSTATUS=waits for WATCHDOG=trigger",
        "STATUS=works",
        "STOPPING=1\nSTATUS=ending\nEXTEND_TIMEOUT_USEC=8500000",
    ]


def test_signs_of_life_come_as_often_as_needed_and_no_oftener(manager: Manager) -> None:
    notifier = Notifier(manager.name, 8.0)
    for tenth in range(100):
        notifier.alive(1000 + tenth / 10, lambda at=tenth: f"turn {at}")  # type: ignore[misc]
    assert manager.hear() == [f"WATCHDOG=1\nSTATUS=turn {at}" for at in (0, 20, 40, 60, 80)]
    assert notifier.due == 1010.0


def test_a_manager_that_is_gone_or_full_costs_nothing_and_is_tried_again(tmp_path: Path) -> None:
    path = str(tmp_path / "notify")
    notifier = Notifier(path, 8.0)
    notifier.ready("works")
    notifier.alive(100.0)
    assert notifier.due == 101.0
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(path)
        for _ in range(10_000):  # until its queue is full, which nobody empties
            notifier.alive(now := notifier.due)
            if notifier.due < now + 2.0:
                break
        assert notifier.due == now + 1.0
        began = time.monotonic()
        notifier.alive(notifier.due)
        assert time.monotonic() - began < 0.5
        taken = 0
        while select.select([listening], [], [], 0)[0]:
            taken += listening.recv(100) == b"WATCHDOG=1"
        assert taken > 1
        notifier.alive(notifier.due)
        assert listening.recv(100) == b"WATCHDOG=1"


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"WATCHDOG_USEC": "8000000"},
        {"NOTIFY_SOCKET": "vsock:2:1234", "WATCHDOG_USEC": "8000000"},
        {"NOTIFY_SOCKET": "/nowhere/notify"},
        {"NOTIFY_SOCKET": "/nowhere/notify", "WATCHDOG_USEC": "8000000", "WATCHDOG_PID": "1"},
        *(
            {"NOTIFY_SOCKET": "/nowhere/notify", "WATCHDOG_USEC": each}
            for each in ("", "0", "-1", "1.5", "٣", "9" * 30)
        ),
    ],
)
def test_without_a_manager_or_a_watchdog_a_loop_may_sleep(environ: dict[str, str]) -> None:
    notifier = Notifier.of(environ)
    assert (notifier.interval_s, notifier.due) == (None, float("inf"))
    notifier.ready("works")
    notifier.alive(0.0)
    notifier.stopping(1.0)


def test_who_waits_for_a_bus_is_alive(manager: Manager) -> None:
    nowhere = Endpoints("ipc:///tmp/eacf-nobody-here-a", "ipc:///tmp/eacf-nobody-here-b")
    notifier = Notifier(manager.name, 0.2)
    with Peer(nowhere, "one", [b"own.topic"], watch=True) as peer:
        until = time.monotonic() + 0.5
        assert not join(peer, b"own.topic", Signals(), nowhere, lambda *_: None, until=until, notifier=notifier)
    assert len(manager.hear()) >= 5
