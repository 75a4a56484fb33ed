"""Samples of the testbed's applications as record lengths, and databases and homes full of them."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from ipaddress import IPv4Address
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eacf.bundle import signing
from eacf.bus import EmbeddedBus, Peer
from eacf.features.lengths import tabulated
from eacf.flow import Needs, Sample
from eacf.samples import Keeper, Limits
from eacf.wire import (
    ZEEK_TOPIC,
    ModelDone,
    ModelOffer,
    decode_message,
    encode_hello,
    encode_model,
    flow_topic,
    model_topic,
)
from eacf_trainer.testbed import apps
from eacf_trainer.testbed.capture import Maker

WAIT_S = 120.0
Flow = tuple[str | None, str, tuple[int, ...]]
"""Label, client, record lengths."""


@cache
def flows(
    count: int, seed: int, kinds: tuple[str, ...] = tuple(apps.APPS), background: float = 0.1
) -> tuple[Flow, ...]:
    """Connections as a sensor would see them, without packets."""
    maker = Maker(random.Random(f"watch {seed}"), f"watch {seed}", "mixed", 24_000)
    made = []
    for number in range(count):
        app = apps.BACKGROUND if maker.rng.random() < background else maker.rng.choice(kinds)
        truth, _ = maker.connection(app, float(number))
        client = f"10.0.0.{maker.rng.randrange(1, 41)}"
        made.append((None if app == apps.BACKGROUND else app, client, truth.records[:16]))
    return tuple(made)


def turned(given: Sequence[Flow]) -> list[Flow]:
    """An abrupt change: what behaves as web pages do is called chat from now on, and the other way round."""
    names = {"chat": "web-page", "web-page": "chat"}
    return [(names.get(label or "", label), client, records) for label, client, records in given]


def table(given: Sequence[Flow]) -> NDArray[np.int64]:
    return tabulated([records for _, _, records in given], 16)


def fill(path: Path, given: Sequence[Flow], seed: int = 0) -> None:
    """Put flows into a database, as a collector would."""
    keeper = Keeper.begin(path, Limits(), seed=seed)
    for number, (label, client, records) in enumerate(given):
        name = None if label is None else f"www.{label}.example"
        sample = Sample(
            f"C{number:017d}",
            time.time_ns(),
            IPv4Address(client),
            40_000 + number % 20_000,
            IPv4Address("198.51.100.7"),
            443,
            name,
            b"",
            records=list(records),
        )
        keeper.add(sample, label=label, sensor="zeek", mono_ns=time.monotonic_ns())
    keeper.commit(time.time_ns(), time.monotonic_ns())
    keeper.close()


@contextmanager
def pretend_worker(bus: EmbeddedBus, name: str, serves: str = "", told: list[str] | None = None) -> Iterator[None]:
    """One that takes every model that is offered (`told` gets their ids), and says hello with `serves` now and then, if that is
    given. A real one is pushed to in tests/worker."""
    end, ready = threading.Event(), threading.Event()

    def run() -> None:
        topics = [flow_topic(name), model_topic(name)]
        with Peer(bus.endpoints, name, topics, watch=True) as peer:
            seen: set[bytes] = set()
            hello_at = 0.0
            while not end.is_set():
                peer.wait(0.02)
                seen |= {topic for added, topic in peer.subscriptions() if added}
                if set(topics) <= seen:
                    ready.set()
                if serves and time.monotonic() >= hello_at:
                    peer.send(ZEEK_TOPIC, encode_hello(name, serves, Needs()))
                    hello_at = time.monotonic() + 0.1
                for frames in peer.receive(100):
                    offer = decode_message(frames[3])
                    if isinstance(offer, ModelOffer):
                        model = signing.read_manifest(offer.manifest).id
                        if told is not None:
                            told.append(model)
                        peer.send(offer.reply_to.encode(), encode_model(ModelDone(name, model, "serving", "")))

    thread = threading.Thread(target=run)
    thread.start()
    assert ready.wait(WAIT_S)
    yield
    end.set()
    thread.join()
