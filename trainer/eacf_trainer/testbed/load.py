"""Load for benchmarks: samples of the size that real ones have, made without any TLS."""

from __future__ import annotations

import random
from ipaddress import IPv4Address
from itertools import pairwise

from eacf.flow import Chunk, Sample
from eacf_trainer.testbed.capture import START_S

MOST_RECORD = 16_401
NAMES = ("north7.web-page.example", "cdn.video.example", "www.somewhere.example")


def samples(seed: int, count: int, payload_bytes: int = 3000, chunks: int = 4, records: int = 18) -> list[Sample]:
    """`count` samples with so many chunks and records on average (payload is exact); 0 of each: none, as with records only."""
    rng = random.Random(f"load {seed}")
    return [_sample(rng, number, payload_bytes, chunks, records) for number in range(count)]


def _sample(rng: random.Random, number: int, payload_bytes: int, chunks: int, records: int) -> Sample:
    cuts = sorted(rng.sample(range(1, payload_bytes), _around(rng, chunks) - 1)) if payload_bytes and chunks else []
    edges = [0, *cuts, payload_bytes]
    return Sample(
        uid=f"C{number:017d}",
        start_ns=(START_S * 1000 + number) * 1_000_000,
        orig_h=IPv4Address((198 << 24) + (18 << 16) + number % 65_000),
        orig_p=32_768 + number % 28_000,
        resp_h=IPv4Address("198.19.0.1"),
        resp_p=443,
        server_name=rng.choice(NAMES),
        payload=rng.randbytes(payload_bytes),
        chunks=[
            Chunk(end - start, rng.random() < 0.3, rng.randrange(10**8) if start else 0)
            for start, end in pairwise(edges)
        ]
        if payload_bytes and chunks
        else [],
        records=[rng.choice((1, -1)) * rng.randrange(20, MOST_RECORD) for _ in range(_around(rng, records))],
    )


def _around(rng: random.Random, mean: int) -> int:
    """Half of `mean` to one and a half times as much, so that no reader lives on one length."""
    return rng.randint(max(1, mean // 2), 2 * mean - max(1, mean // 2)) if mean else 0
