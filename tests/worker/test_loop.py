"""The worker as a process of its own, over real sockets, with real signals."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from eacf import bundle
from eacf.bus import Peer
from eacf.status import ask
from eacf.wire import CONTROL_REQUEST_TOPIC, ZEEK_TOPIC, Hello, encode_who

if TYPE_CHECKING:
    from tests.conftest import Manager
    from tests.worker.conftest import Sensor, Start

WAIT_S = 30.0
ANSWER_S = 2.0
FLOW_PREFIX = b"eacf.flow."


def test_found_asked_served_ended(sensor: Sensor, start: Start, served: Path) -> None:
    process = start()
    loaded = bundle.load(served)
    hello = sensor.greet()
    assert sensor.topic == FLOW_PREFIX + hello.worker.encode()
    assert (hello.model, hello.needs) == (loaded.id, loaded.needs)
    for number in (1, 32, 5):
        sensor.send(number)
    sensor.until(sensor.answered)
    assert {verdict.model for verdict in sensor.verdicts} == {loaded.id}
    report = sensor.report()
    assert report["worker"] == hello.worker
    assert report["flows_in"] == report["verdicts_out"] == 38
    assert report["latency_ms"]["p99"] > 0
    assert report["process"]["threads"] >= 1
    process.terminate()
    sensor.until(lambda: not sensor.workers)
    _, words = process.communicate(timeout=WAIT_S)
    assert process.returncode == 0
    assert "38 flows in, 38 verdicts out" in words


def test_says_hello_unasked_to_a_zeek_that_comes_later(sensor: Sensor, start: Start) -> None:
    sensor.peer.unsubscribe(ZEEK_TOPIC)
    start()
    sensor.until(lambda: sensor.workers)
    sensor.until_report(lambda report: report["uptime_s"] > 0)
    assert sensor.hellos == []
    sensor.peer.subscribe(ZEEK_TOPIC)
    sensor.until(lambda: sensor.hellos)


def test_nonsense_is_counted_and_flows_are_served(sensor: Sensor, start: Start) -> None:
    process = start()
    sensor.greet()
    for number in range(300):
        sensor.peer.send(sensor.topic, os.urandom(number))
        sensor.peer.send(CONTROL_REQUEST_TOPIC, os.urandom(number))
        if number % 10 == 0:
            sensor.send(3)
    sensor.until(sensor.answered)
    report = sensor.until_report(lambda report: sum(report["malformed"].values()) == 600)
    assert report["flows_in"] == report["verdicts_out"] == 90
    process.terminate()
    _, words = process.communicate(timeout=WAIT_S)
    assert 1 <= words.count("malformed messages") <= 3
    assert "from b'zeek'" in words


def test_too_much_drops_the_oldest_and_the_account_closes(sensor: Sensor, start: Start) -> None:
    process = start("--queue-flows", "200")
    sensor.greet()
    process.send_signal(signal.SIGSTOP)  # however fast this machine is: now it has fallen behind
    for _ in range(200):
        sensor.send(32)
    process.send_signal(signal.SIGCONT)
    report = sensor.until_report(lambda report: report["flows_in"] == 6400 and not report["queue"]["flows"])
    dropped = report["dropped"]["queue"]
    assert dropped > 0
    sensor.until(lambda: len(sensor.verdicts) + dropped == 6400)
    assert "C6399" in {verdict.uid for verdict in sensor.verdicts}  # the newest were kept
    assert sensor.peer.unsent == 0
    process.terminate()
    _, words = process.communicate(timeout=WAIT_S)
    assert "flows dropped (queue)" in words


def test_sigterm_serves_what_is_there(sensor: Sensor, start: Start) -> None:
    process = start()
    sensor.greet()
    with Peer(sensor.bus.endpoints, "beside", [sensor.topic]) as beside:  # tells us when the bus has passed flows on
        last = b""

        def passed_on() -> bytes:
            nonlocal last
            for frames in beside.receive(100):
                last = frames[3]
            return last

        sensor.until(lambda: sensor.send(1) or passed_on())
        sensor.until(sensor.answered)
        process.send_signal(signal.SIGSTOP)
        for _ in range(50):
            sensor.send(32)
        sensor.until(lambda: f"C{sensor.sent - 1}".encode() in passed_on())
        process.terminate()
        process.send_signal(signal.SIGCONT)
        sensor.until(sensor.answered)
    assert process.wait(WAIT_S) == 0


def test_a_second_sigterm_ends_it_at_once(sensor: Sensor, start: Start) -> None:
    process = start("--drain-s", "600")
    sensor.greet()
    process.terminate()
    # It listens on to what may be on its way; as long as something comes, it does not end by itself.
    sensor.until(lambda: sensor.peer.send(CONTROL_REQUEST_TOPIC, b"") and not sensor.workers)
    deadline = time.monotonic() + WAIT_S
    process.terminate()
    while process.poll() is None:
        sensor.peer.send(CONTROL_REQUEST_TOPIC, b"")
        assert time.monotonic() < deadline
        sensor.peer.wait(0.01)
    assert process.returncode in (-signal.SIGTERM, 0)


def test_sighup_changes_the_bundle_and_loses_no_flow(sensor: Sensor, start: Start, served: Path) -> None:
    process = start()
    old = sensor.greet()
    loaded = bundle.load(served)
    new = bundle.write(served, dict(loaded.manifest.document) | {"version": "next"}, loaded.model)
    sensor.send(32)
    process.send_signal(signal.SIGHUP)

    def under_load() -> bool:
        if sensor.sent - len(sensor.verdicts) < 1000:
            sensor.send(32)
        return (
            sensor.hellos[-1].model != old.model and sensor.verdicts[-1:] != [] and sensor.verdicts[-1].model == new.id
        )

    sensor.until(under_load)
    sensor.until(sensor.answered)
    assert sensor.hellos[-1] == Hello(old.worker, new.id, new.needs)
    assert {verdict.model for verdict in sensor.verdicts} == {old.model, new.id}
    report = sensor.report()
    assert (report["bundle"]["version"], report["reloads"]) == ("next", {"done": 1, "failed": 0})
    assert report["dropped"] == {}


def test_a_bad_bundle_does_not_replace_a_good_one(sensor: Sensor, start: Start, served: Path) -> None:
    process = start()
    old = sensor.greet()
    served.write_bytes(served.read_bytes()[:-1])
    process.send_signal(signal.SIGHUP)
    sensor.until_report(lambda report: report["reloads"]["failed"] == 1)
    sensor.send(10)
    sensor.until(sensor.answered)
    assert {verdict.model for verdict in sensor.verdicts} == {old.model}
    process.terminate()
    _, words = process.communicate(timeout=WAIT_S)
    assert f"the bundle in use stays ({old.model}): {served}: " in words


def test_its_death_is_seen_as_unsubscription(sensor: Sensor, start: Start) -> None:
    process = start()
    sensor.greet()
    process.kill()
    sensor.until(lambda: not sensor.workers)


def test_two_workers_are_two(sensor: Sensor, start: Start) -> None:
    start()
    start()
    sensor.until(lambda: len(sensor.workers) == 2)
    for topic in sensor.workers:
        sensor.peer.send(topic, encode_who())
    sensor.until(lambda: {FLOW_PREFIX + hello.worker.encode() for hello in sensor.hellos} == sensor.workers)
    assert len(ask(sensor.bus.endpoints, ANSWER_S)) == 2


def test_sigterm_ends_the_wait_for_a_bus_that_is_not_there(sensor: Sensor, start: Start) -> None:
    process = start("--publish-endpoint", "ipc:///tmp/eacf-nobody-here")
    assert process.stderr is not None
    words = ""
    while "serves bundle" not in words:
        words += process.stderr.readline()
    process.terminate()
    assert process.wait(WAIT_S) == 0


def test_a_bad_bundle_at_the_start_ends_it(sensor: Sensor, start: Start, served: Path) -> None:
    served.write_bytes(b"nonsense")
    process = start()
    _, words = process.communicate(timeout=WAIT_S)
    assert process.returncode == 1
    assert str(served) in words


def test_a_service_manager_hears_of_it_with_a_bus_and_without(
    sensor: Sensor, start: Start, served: Path, manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in manager.environment(1.0).items():
        monkeypatch.setenv(name, value)
    nowhere = ["--subscribe-endpoint", f"ipc://{served}.sub", "--publish-endpoint", f"ipc://{served}.pub"]
    lonely = start(*nowhere)
    manager.until("READY=1")
    assert f"STATUS=serves bundle {bundle.load(served).id}; waits for a bus at ipc://{served}.sub" in manager.said[0]
    for _ in range(4):  # as long as the watchdog waits
        assert set(manager.hear(5.0)) == {"WATCHDOG=1"}
    lonely.terminate()
    assert lonely.wait(WAIT_S) == 0
    manager.hear()
    manager.said.clear()

    process = start()
    sensor.greet()
    sensor.send(7)
    sensor.until(sensor.answered)
    manager.until("7 flows in, 7 verdicts out")
    process.send_signal(signal.SIGSTOP)
    time.sleep(0.3)
    manager.hear()
    assert manager.hear(0.7) == []  # nothing lives on beside the loop
    process.send_signal(signal.SIGCONT)
    assert manager.hear(5.0)[0].startswith("WATCHDOG=1")
    served.write_bytes(b"nothing that could be served")
    process.send_signal(signal.SIGHUP)
    for _ in range(8):  # a process of its own tries it meanwhile
        assert manager.hear(5.0)
    process.terminate()
    assert process.wait(WAIT_S) == 0
    manager.hear()
    assert manager.said[-1] == "STOPPING=1\nSTATUS=ending\nEXTEND_TIMEOUT_USEC=11000000"
