from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from eacf.flow import Chunk, Sample
from eacf.wire import Flows, decode_message


@pytest.fixture(scope="session")
def make() -> Callable[..., Sample]:
    """A sample of given payload, chunks (length, is_orig, gap_ns) and records."""

    def build(
        payload: bytes = b"", chunks: list[tuple[int, bool, int]] | None = None, records: list[int] | None = None
    ) -> Sample:
        ends = (IPv4Address("192.0.2.1"), 50000, IPv4Address("192.0.2.2"), 443)
        return Sample("C1", 0, *ends, None, payload, [Chunk(*each) for each in chunks or []], records or [])

    return build


@pytest.fixture(scope="session")
def recorded(shared: Path) -> list[Sample]:
    """Every sample that a real Zeek sent of the captures of real applications."""
    samples: list[Sample] = []
    for path in sorted((shared / "zeek-wire" / "samples" / "apps").rglob("*.jsonl.gz")):
        with gzip.open(path, "rt") as lines:
            for line in lines:
                message = decode_message(bytes.fromhex(json.loads(line)["body_hex"]))
                assert isinstance(message, Flows)
                samples += message.samples
    assert len(samples) > 1000
    return samples
