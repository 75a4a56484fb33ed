"""Made-up flows of three labels in six captures, whose first payload byte tells the label, and settings that take no time."""

from __future__ import annotations

from ipaddress import IPv4Address

import numpy as np
import pytest

from eacf.flow import Chunk, Sample
from eacf_trainer.experiments import data
from eacf_trainer.experiments.data import Flows
from eacf_trainer.experiments.settings import Settings

NOWHERE = IPv4Address("192.0.2.1")
LABELS = ("alpha", "beta", "gamma")
CAPTURES = 6


def made(payload: bytes, chunks: list[int]) -> Sample:
    """A sample of these bytes in chunks of these lengths, a millisecond apart."""
    parts = [Chunk(length, number % 2 == 0, 1_000_000 * (number > 0)) for number, length in enumerate(chunks)]
    return Sample("C1", 0, NOWHERE, 1, NOWHERE, 443, None, payload, parts, [])


@pytest.fixture(scope="session")
def settings() -> Settings:
    """Two sizes, one epoch, two folds."""
    return Settings(
        sizes=(64, 128),
        main_size=128,
        gap_counts=(2,),
        epochs=1,
        seeds=2,
        grouped_seeds=1,
        folds=2,
        min_flows=10,
        min_captures=2,
    )


@pytest.fixture(scope="session")
def flows(settings: Settings) -> Flows:
    """60 flows, 20 a label, of 40 to 159 bytes."""
    rng = np.random.default_rng(1)
    samples, names, captures = [], [], []
    for number in range(60):
        label = number % len(LABELS)
        length = int(rng.integers(40, 160))
        first = int(rng.integers(1, length))
        samples.append(made(bytes([label * 100]) + rng.bytes(length - 1), [first, length - first]))
        names.append(LABELS[label])
        captures.append(f"capture-{rng.integers(CAPTURES)}")
    tls = [0x0303 if number % 2 else 0x0304 for number in range(60)]
    return data.gather(samples, names, captures, tls, settings, {}, "made up")
