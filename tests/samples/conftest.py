"""Samples as a collector meets them, and databases of them."""

from __future__ import annotations

from ipaddress import IPv4Address
from pathlib import Path

import pytest

from eacf.flow import Chunk, Sample
from eacf.samples import Keeper, Limits, schema

DAY = 86_400 * 1_000_000_000
NOW = 1_700_000_000 * 1_000_000_000


def sample(number: int, *, client: str = "192.0.2.1", name: str | None = "www.example.com", payload: int = 0) -> Sample:
    """A flow of 16 records; with so many bytes of payload, the cut "stream"."""
    ends = (IPv4Address(client), 1024 + number % 60_000, IPv4Address("198.51.100.7"), 443)
    data = bytes((number + at) % 251 for at in range(payload))
    chunks = [Chunk(payload, True, 0)] if payload else []
    return Sample(f"C{number}", NOW + number, *ends, name, data, chunks, [number % 1400 - 700] * 16)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Locks are waited for a fifth of a second, not two."""
    monkeypatch.setattr(schema, "BUSY_S", 0.2)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "samples.db"


@pytest.fixture
def filled(path: Path) -> Path:
    """A database of 300 samples: a at one client, b at 100, background; ten seconds between two."""
    keeper = Keeper.begin(path, Limits(client_share=1), seed=1)
    for number in range(100):
        at = NOW + number * 10_000_000_000
        keeper.add(sample(3 * number, client="192.0.2.1"), label="a", sensor="zeek", mono_ns=at)
        keeper.add(sample(3 * number + 1, client=f"203.0.113.{number}"), label="b", sensor="other", mono_ns=at)
        keeper.add(sample(3 * number + 2, client="192.0.2.9", name=None), label=None, sensor="zeek", mono_ns=at)
        if number % 10 == 9:
            keeper.commit(at, at)
    keeper.close()
    return path
