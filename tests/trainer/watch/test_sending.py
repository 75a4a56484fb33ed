"""How an accepted model leaves the watcher."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eacf import bundle, keys
from eacf.bundle import signing
from eacf.bus import EmbeddedBus
from eacf.keys import PrivateKey
from eacf_trainer.watch.decisions import read
from eacf_trainer.watch.home import LOG, SHIPPED, SIGNED, TAKEN, Home
from eacf_trainer.watch.sending import Sender
from eacf_trainer.watch.settings import Delivery
from tests.trainer.watch.conftest import pretend_worker

TESTBED = bundle.load(bundle.find("testbed")).id
PUBLIC = bundle.load(bundle.find("public")).id


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """In which `public` was accepted, as if it had been made of `testbed`, and no worker has it."""
    with Home.open(tmp_path / "home") as made:
        made.begin(SHIPPED / "testbed", "now")
        folder = made.run(PUBLIC)
        folder.mkdir()
        for file in TAKEN:
            shutil.copy(SHIPPED / "public" / file, folder / file)
        shutil.copy(bundle.find("public"), folder / "public.eacf")
        line = {"turn": 1, "at_s": 1.0, "bundle": PUBLIC, "up_to": 50, "learnt_up_to": 40}
        made.say({"kind": "update", "outcome": "accepted", **line})
        yield made


@pytest.fixture
def key(tmp_path: Path) -> PrivateKey:
    return keys.new(tmp_path / "ops")[0]


def sender(home: Home, bus: EmbeddedBus | None = None, **settings: Any) -> Sender:
    wanted = Delivery(wait_s=0.3, again_s=0.1, **settings)
    return Sender(home, wanted, None if bus is None else bus.endpoints, home.say)


def pushes(home: Home) -> list[dict[str, Any]]:
    return [line for line in read(home.path / LOG) if line["kind"] == "push"]


def test_without_a_bus_it_is_left_as_a_file_once(home: Home, tmp_path: Path) -> None:
    out = tmp_path / "newest.eacf"
    sending = sender(home, out=str(out))
    for _ in range(2):
        sending.deliver(now=True)
    assert home.state.pending is None
    assert bundle.load(out).id == PUBLIC
    assert len(pushes(home)) == 1


def test_a_push_that_reached_nobody_is_tried_again_with_the_same_serial(home: Home, key: PrivateKey) -> None:
    with EmbeddedBus() as bus:
        sending = sender(home, bus, key=str(key.path))
        for _ in range(3):
            sending.deliver(now=True)
    assert home.state.pending == PUBLIC
    (line,) = pushes(home)  # the same outcome is said once
    assert not line["done"]
    signed = bundle.load(home.run(PUBLIC) / SIGNED)
    assert signed.manifest.signature is not None
    assert signed.manifest.signature.serial == line["serial"]
    signing.verify(signed.manifest, keys.Trusted([key.public]))


def test_a_worker_that_comes_later_gets_it_once(home: Home, key: PrivateKey) -> None:
    told: list[str] = []
    with EmbeddedBus() as bus:
        sending = sender(home, bus, key=str(key.path))
        with pretend_worker(bus, "a" * 12):
            sending.deliver(now=True)
        assert home.state.pending is None
        sending.met("a" * 12, TESTBED)  # it was told, and an operator has rolled it back
        sending.met("b" * 12, PUBLIC)  # it has it
        with pretend_worker(bus, "c" * 12, told=told):
            sending.deliver(now=True)
            assert told == []
            sending.met("c" * 12, TESTBED)
            for _ in range(2):
                sending.deliver(now=True)
    assert told == [PUBLIC]
    assert [list(line["workers"]) for line in pushes(home)] == [["a" * 12], ["c" * 12]]


def test_what_was_never_signed_is_not_pushed_to_who_comes_later(home: Home) -> None:
    with EmbeddedBus() as bus:
        sending = sender(home, bus)
        sending.deliver(now=True)
        sending.met("c" * 12, TESTBED)
        sending.deliver(now=True)
    assert [line["workers"] for line in pushes(home)] == [None]


def test_the_watcher_hears_who_comes(home: Home, key: PrivateKey, tmp_path: Path) -> None:
    from eacf.service import Signals
    from eacf_trainer.watch.loop import Watcher
    from eacf_trainer.watch.settings import Settings

    told: list[str] = []
    settings = Settings(delivery=Delivery(key=str(key.path), wait_s=0.3, again_s=0.1))
    with EmbeddedBus() as bus:
        watching = Watcher(home, tmp_path / "none.db", settings, bus.endpoints, Signals())
        with pretend_worker(bus, "a" * 12):
            watching.sender.deliver(now=True)
        with pretend_worker(bus, "c" * 12, serves=TESTBED, told=told):
            until = time.monotonic() + 20
            while not told and time.monotonic() < until:
                watching._wait(0.1)
                watching.sender.deliver()
        watching.close()
    assert told == [PUBLIC]
