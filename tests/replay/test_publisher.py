"""The sensor's side of the bus with a real worker that dies, hangs, or never comes up."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from eacf.bus import EmbeddedBus, Endpoints, Peer
from eacf.collector import collect
from eacf.errors import WorkerError
from eacf.flow import Sample
from eacf.replay.ledger import Ledger
from eacf.replay.process import WorkerProcess
from eacf.replay.publisher import Publisher
from eacf.verdict import Info
from eacf.wire import ZEEK_TOPIC

MakeCapture = Callable[..., Path]
REPLY_TO = "eacf.verdict.here."


@contextmanager
def sensor(bundle: Path, ledger: Ledger, infos: list[Info], **more: float) -> Iterator[tuple[Publisher, WorkerProcess]]:
    with (
        EmbeddedBus() as bus,
        Peer(bus.endpoints, "here", [REPLY_TO.encode(), ZEEK_TOPIC], watch=True) as peer,
        WorkerProcess(bundle, bus.endpoints) as process,
    ):
        yield Publisher(peer, process, ledger, reply_to=REPLY_TO, on_info=infos.append, **more), process


@pytest.fixture
def samples(make_capture: MakeCapture) -> list[Sample]:
    return [each.sample for each in collect(make_capture(20))]


def one_by_one(publisher: Publisher, samples: list[Sample]) -> None:
    for sample in samples:
        publisher.publish([sample])
        publisher.drain()


def test_flows_wait_for_room(tiny: Path, samples: list[Sample]) -> None:
    infos: list[Info] = []
    ledger = Ledger(room=4)
    with sensor(tiny, ledger, infos) as (publisher, _):
        hello = publisher.greet()
        assert publisher.topic == f"eacf.flow.{hello.worker}".encode()
        for sample in samples:
            publisher.publish([sample])
            assert ledger.unanswered <= 4
        publisher.publish([])
        publisher.drain()
    assert [info.uid for info in infos] == [sample.uid for sample in samples]
    assert ledger.counts.complete


def test_a_worker_that_is_killed_is_told_at_once(tiny: Path, samples: list[Sample]) -> None:
    with sensor(tiny, Ledger(), []) as (publisher, process):
        publisher.greet()
        os.kill(process.pid, signal.SIGSTOP)
        publisher.publish(samples)
        os.kill(process.pid, signal.SIGKILL)
        begun = time.monotonic()
        with pytest.raises(WorkerError, match="SIGKILL"):
            publisher.drain()
        assert time.monotonic() - begun < 5


def test_a_worker_that_hangs_costs_its_flows_and_then_the_replay(tiny: Path, samples: list[Sample]) -> None:
    infos: list[Info] = []
    ledger = Ledger(timeout_s=0.3)
    with sensor(tiny, ledger, infos, stall_s=1.0) as (publisher, process):
        publisher.greet()
        os.kill(process.pid, signal.SIGSTOP)
        with pytest.raises(WorkerError, match="not answered for 1 s"):
            one_by_one(publisher, samples)
        os.kill(process.pid, signal.SIGKILL)
    assert 2 <= ledger.counts.timed_out <= 5
    assert {info.reason for info in infos} == {"timeout"}


def test_a_worker_that_comes_back_finds_its_late_answers_counted(tiny: Path, samples: list[Sample]) -> None:
    infos: list[Info] = []
    ledger = Ledger(timeout_s=0.3)
    with sensor(tiny, ledger, infos) as (publisher, process):
        publisher.greet()
        os.kill(process.pid, signal.SIGSTOP)
        publisher.publish(samples[:1])
        publisher.drain()
        os.kill(process.pid, signal.SIGCONT)
        until = time.monotonic() + 10
        while not ledger.counts.strays and time.monotonic() < until:
            publisher.pump(0.1)
        publisher.publish(samples[1:2])
        publisher.drain()
    assert [(info.label, info.reason) for info in infos] == [(None, "timeout"), ("web", None)]
    assert (ledger.counts.strays, ledger.counts.verdicts, ledger.counts.timed_out) == (1, 1, 1)


def test_a_worker_that_cannot_start_leaves_its_words(tmp_path: Path) -> None:
    bad = tmp_path / "bad.eacf"
    bad.write_bytes(b"no bundle")
    with pytest.raises(WorkerError, match=r"(?s)exit status .*bad\.eacf"), sensor(bad, Ledger(), []) as (publisher, _):
        publisher.greet()


def test_a_worker_that_never_says_hello_is_not_waited_for_forever(tiny: Path) -> None:
    with sensor(tiny, Ledger(), []) as (publisher, process):
        os.kill(process.pid, signal.SIGSTOP)
        with pytest.raises(WorkerError, match="not ready within"):
            publisher.greet(timeout_s=0.5)
        os.kill(process.pid, signal.SIGCONT)


def test_strangers_on_the_bus_do_no_harm(tiny: Path, samples: list[Sample]) -> None:
    infos: list[Info] = []
    ledger = Ledger()
    with (
        EmbeddedBus() as bus,
        Peer(bus.endpoints, "here", [REPLY_TO.encode(), ZEEK_TOPIC], watch=True) as peer,
        Peer(bus.endpoints, "stranger") as stranger,
        WorkerProcess(tiny, bus.endpoints) as process,
    ):
        publisher = Publisher(peer, process, ledger, reply_to=REPLY_TO, on_info=infos.append)
        publisher.greet()
        stranger.send(REPLY_TO.encode(), b"not a message at all")
        until = time.monotonic() + 10
        while not ledger.counts.malformed and time.monotonic() < until:
            publisher.pump(0.1)
        publisher.publish(samples)
        publisher.drain()
    assert ledger.counts.malformed == 1
    assert ledger.counts.complete
    assert len(infos) == 20


def test_the_settings_of_a_live_worker_are_not_passed_on(
    tiny: Path, samples: list[Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    live = Endpoints("tcp://127.0.0.1:1", "tcp://127.0.0.1:1")
    monkeypatch.setenv("EACF_SUBSCRIBE_ENDPOINT", live.subscribe)
    monkeypatch.setenv("EACF_QUEUE_FLOWS", "not a number")
    ledger = Ledger()
    with sensor(tiny, ledger, []) as (publisher, _):
        publisher.greet()
        publisher.publish(samples)
        publisher.drain()
    assert ledger.counts.complete
