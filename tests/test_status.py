from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest

from eacf import bundle, inference
from eacf.bus import EmbeddedBus, Endpoints, Peer
from eacf.engine import Engine
from eacf.errors import BusError
from eacf.inference import Model
from eacf.service import Notifier
from eacf.settings import Settings
from eacf.status import Party, ask, inquire, process_facts
from eacf.wire import (
    CONTROL_REQUEST_TOPIC,
    StatusRequest,
    decode_message,
    encode_status_reply,
    enforce_topic,
    flow_topic,
    verdict_topic,
)
from eacf.worker.changes import Changes
from eacf.worker.loop import Loop
from eacf.worker.shelf import Shelf

PretendZeek = Callable[[Endpoints, dict[str, Any]], AbstractContextManager[None]]


@pytest.fixture(scope="module")
def model() -> Model:
    return inference.load(bundle.default_path())


@contextmanager
def workers(bus: EmbeddedBus, model: Model, *names: str) -> Iterator[None]:
    """Workers in threads, until the context ends."""
    ended = threading.Event()

    def serve(name: str) -> None:
        engine = Engine(model, worker=name, started=time.monotonic(), process=process_facts)
        changes = Changes(engine, Shelf(Settings(), None), None, lambda: None)
        with Peer(bus.endpoints, name, [CONTROL_REQUEST_TOPIC, flow_topic(name)], watch=True) as peer:
            loop = Loop(peer, engine, None, changes, Notifier())
            while not ended.is_set():
                peer.wait(0.01)
                loop.turn()

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


def test_zeek_processes_answer_too_and_are_waited_for(
    model: Model, pretend_zeek: PretendZeek, zeek_report: Callable[..., dict[str, Any]]
) -> None:
    # Node ids are Zeek's to choose: one that reads like a worker's is another party all the same.
    first, second = zeek_report("0" * 12), zeek_report("zeek-2")
    with EmbeddedBus() as bus, pretend_zeek(bus.endpoints, first), pretend_zeek(bus.endpoints, second):
        begun = time.time()
        answers = inquire(bus.endpoints, 60.0)
        assert time.time() - begun < 30  # early, since all that are seen have answered
        assert list(answers.reports.values()) == [first, second]
        assert begun <= answers.asked <= min(answers.heard.values())
        with workers(bus, model, "0" * 12):
            while len(answers.reports) < 3:
                answers = inquire(bus.endpoints, 20.0)
    assert list(answers.reports) == [Party("worker", "0" * 12), Party("zeek", "0" * 12), Party("zeek", "zeek-2")]
    assert answers.reports.keys() == answers.heard.keys()
    assert answers.silent == []


def test_who_listens_and_is_silent_is_told(
    pretend_zeek: PretendZeek, zeek_report: Callable[..., dict[str, Any]]
) -> None:
    topics = [flow_topic("f" * 12), verdict_topic("deaf"), b"eacf.flow.", b"eacf.verdict.", b"eacf.verdict.\xff."]
    with EmbeddedBus() as bus, Peer(bus.endpoints, "deaf", topics), pretend_zeek(bus.endpoints, zeek_report()):
        answers = inquire(bus.endpoints, 1.0)
    assert [report["node"] for report in answers.reports.values()] == ["zeek-1"]
    assert answers.silent == [Party("worker", "f" * 12), Party("zeek", "deaf"), Party("zeek", "\ufffd")]


def test_agents_are_known_by_their_subscription_and_relays_by_their_answer() -> None:
    def serve(bus: EmbeddedBus) -> None:
        with Peer(bus.endpoints, "several", [CONTROL_REQUEST_TOPIC, enforce_topic("e" * 12)]) as peer:
            assert peer.wait(20)
            (frames,) = peer.receive(1)
            request = decode_message(frames[3])
            assert isinstance(request, StatusRequest)
            for kind in ("relay", "oracle", "enforce", 7):
                peer.send(request.reply_to.encode(), encode_status_reply("e" * 12, json.dumps({"kind": kind})))
            peer.close(5.0)

    with EmbeddedBus() as bus, Peer(bus.endpoints, "deaf", [enforce_topic("f" * 12)]):
        thread = threading.Thread(target=serve, args=(bus,))
        thread.start()
        answers = inquire(bus.endpoints, 2.0)
        thread.join()
    assert [party.kind for party in answers.reports] == ["enforce", "relay", "?", "oracle"]
    assert answers.silent == [Party("enforce", "f" * 12)]
    assert [str(party) for party in (*answers.reports, *answers.silent)][1:] == [
        "relay " + "e" * 12, "? " + "e" * 12, "oracle " + "e" * 12, "agent " + "f" * 12,
    ]  # fmt: skip


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
            for report in (
                "not JSON",
                "[1]",
                "[" * 100_000,
                '{"worker": NaN}',
                "7" * 5_000,
                '{"worker": "\\u001b[2J"}',
            ):
                peer.send(request.reply_to.encode(), encode_status_reply("f" * 12, report))
            peer.send(request.reply_to.encode(), b"\xff")
            peer.close(5.0)

    with EmbeddedBus() as bus:
        thread = threading.Thread(target=serve, args=(bus,))
        thread.start()
        reports = ask(bus.endpoints, 20.0)
        thread.join()
    assert reports == [{"worker": "\x1b[2J"}]


def test_facts_of_this_process() -> None:
    facts = process_facts()
    assert facts["cpu_s"] > 0
    assert facts["memory_bytes"] > 10_000_000
    assert facts["threads"] >= 1
