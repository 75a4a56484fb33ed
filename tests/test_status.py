from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from eacf import bundle, inference
from eacf.bus import EmbeddedBus, Endpoints, Peer
from eacf.engine import Engine
from eacf.errors import BusError
from eacf.inference import Model
from eacf.status import ask, process_facts, render
from eacf.wire import CONTROL_REQUEST_TOPIC, StatusRequest, decode_message, encode_status_reply, flow_topic
from eacf.worker import turn


@pytest.fixture(scope="module")
def model() -> Model:
    return inference.load(bundle.default_path())


@contextmanager
def workers(bus: EmbeddedBus, model: Model, *names: str) -> Iterator[None]:
    """Workers in threads, until the context ends."""
    ended = threading.Event()

    def serve(name: str) -> None:
        engine = Engine(model, worker=name, started=time.monotonic(), process=process_facts)
        with Peer(bus.endpoints, name, [CONTROL_REQUEST_TOPIC, flow_topic(name)], watch=True) as peer:
            while not ended.is_set():
                peer.wait(0.01)
                turn(peer, engine)

    threads = [threading.Thread(target=serve, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    yield
    ended.set()
    for thread in threads:
        thread.join()


def test_all_workers_answer_and_nobody_waits_for_more(model: Model) -> None:
    with EmbeddedBus() as bus, workers(bus, model, "0" * 12, "1" * 12):
        started = time.monotonic()
        while len(reports := ask(bus.endpoints, 20.0)) < 2:
            pass  # one of the threads was late
        assert time.monotonic() - started < 20
    assert [report["worker"] for report in reports] == ["0" * 12, "1" * 12]


def test_no_worker_no_report() -> None:
    with EmbeddedBus() as bus:
        assert ask(bus.endpoints, 0.2) == []


def test_no_bus_is_told() -> None:
    nowhere = Endpoints("ipc:///tmp/eacf-nobody/subscribe", "ipc:///tmp/eacf-nobody/publish")
    with pytest.raises(BusError, match=r"no bus at ipc:///tmp/eacf-nobody/subscribe .*--subscribe-endpoint"):
        ask(nowhere, 0.1)


def test_what_is_no_report_is_passed_over() -> None:
    def serve(bus: EmbeddedBus) -> None:
        with Peer(bus.endpoints, "liar", [CONTROL_REQUEST_TOPIC]) as peer:
            assert peer.wait(20)
            (frames,) = peer.receive(1)
            request = decode_message(frames[3])
            assert isinstance(request, StatusRequest)
            for report in ("not JSON", "[1]", "[" * 100_000, '{"worker": "\\u001b[2J"}'):
                peer.send(request.reply_to.encode(), encode_status_reply("f" * 12, report))
            peer.send(request.reply_to.encode(), b"\xff")
            peer.close(5.0)

    with EmbeddedBus() as bus:
        thread = threading.Thread(target=serve, args=(bus,))
        thread.start()
        reports = ask(bus.endpoints, 20.0)
        thread.join()
    assert reports == [{"worker": "\x1b[2J"}]
    assert "\x1b" not in render(reports[0])


def test_in_words(model: Model) -> None:
    engine = Engine(model, worker="0123456789ab", started=0.0, process=process_facts)
    engine.counts.messages = engine.counts.flows = 12_345
    engine.counts.dropped["queue"] = 7
    engine.counts.malformed["tag"] = 3
    text = render(json.loads(json.dumps(engine.status(93_784.0))))
    for words in (
        "0123456789ab",
        "1 d 2 h 3 min",
        "12,345",
        "7 queue",
        "3 tag",
        "p99 -",
        model.bundle.id,
        model.runtime,
    ):
        assert words in text
    assert max(map(len, text.splitlines())) < 110


@pytest.mark.parametrize("report", [{}, {"queue": 3, "process": None, "dropped": [1], "uptime_s": "x"}])
def test_what_a_report_lacks_is_shown_as_missing(report: dict[str, object]) -> None:
    assert render(report).count("-") > 10


def test_facts_of_this_process() -> None:
    facts = process_facts()
    assert facts["cpu_s"] > 0
    assert facts["memory_bytes"] > 10_000_000
    assert facts["threads"] >= 1
