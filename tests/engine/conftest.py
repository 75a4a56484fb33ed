"""The shipped model behind an engine, and messages for it."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from eacf import bundle, inference
from eacf.engine import Engine
from eacf.flow import Chunk, Sample
from eacf.inference import Model
from eacf.wire import FORMAT, encode_flow, encode_flows, flow_topic

WORKER = "0123456789ab"
MakeSamples = Callable[..., list[Sample]]
MakeFrames = Callable[..., list[bytes]]


@pytest.fixture(scope="session")
def model() -> Model:
    return inference.load(bundle.default_path())


@pytest.fixture
def other(model: Model, tmp_path: Path) -> Model:
    """The shipped model under another version, so with another id."""
    document = dict(model.bundle.manifest.document) | {"version": "other"}
    return Model(bundle.write(tmp_path / "other.eacf", document, model.bundle.model))


@pytest.fixture
def longer(model: Model, tmp_path: Path) -> Model:
    """The shipped model, which says that it needs 16 records."""
    features = model.bundle.manifest.document["features"]
    more = features | {"parameters": features["parameters"] | {"records": 16}}
    document = dict(model.bundle.manifest.document) | {"features": more}
    return Model(bundle.write(tmp_path / "longer.eacf", document, model.bundle.model))


@pytest.fixture
def engine(model: Model) -> Engine:
    """Started at time 0 with room for 100 flows; verdicts wait 2 ms at most."""
    return Engine(model, worker=WORKER, started=0.0, queue_flows=100)


@pytest.fixture(scope="session")
def samples() -> MakeSamples:
    """Flows with all that any model asks for; uids count up from `first`."""

    def make(number: int, first: int = 0) -> list[Sample]:
        ends = (IPv4Address("192.0.2.1"), 50000, IPv4Address("192.0.2.2"), 443)
        chunks = [Chunk(40, True, 0), Chunk(60, False, 1_000_000)]
        records = [517, -1200, 80, -1400, -900, 33, -700, 250]
        return [
            Sample(f"C{at}", at, *ends, None, bytes(100), list(chunks), list(records))
            for at in range(first, first + number)
        ]

    return make


@pytest.fixture(scope="session")
def frames(samples: MakeSamples) -> MakeFrames:
    """A message of so many flows, as Zeek would send it."""

    def make(number: int, first: int = 0, reply_to: str = "eacf.verdict.zeek.", sender: bytes = b"zeek") -> list[bytes]:
        flows = samples(number, first)
        body = encode_flow(reply_to, flows[0]) if number == 1 else encode_flows(reply_to, flows)
        return [flow_topic(WORKER), sender, FORMAT, body]

    return make
