from __future__ import annotations

import random
from ipaddress import IPv4Address

import numpy as np
import pytest
from scipy.stats import ks_2samp

from eacf.flow import Sample
from eacf.truth.inputs import CERTAIN, LATEST, LEAST, NAMES, NEVER_IDLE, REFERENCE, Inputs, kolmogorov_smirnov, lengths


def flow(*records: int) -> Sample:
    return Sample("C1", 0, IPv4Address("192.0.2.1"), 1, IPv4Address("192.0.2.2"), 443, None, b"", [], list(records))


def feed(inputs: Inputs, rng: random.Random, number: int, scale: float = 1.0, clients: int = 100) -> None:
    """Flows of log-normal lengths, and idle moments between them."""
    for _ in range(number):
        sent, received = (int(scale * rng.lognormvariate(6, 1)) + 1 for _ in range(2))
        inputs.add(rng.randrange(clients), flow(sent, -received, sent))
        inputs.test()


def test_lengths() -> None:
    assert lengths(flow(100, -200, 300, -400)) == (400, 600, 100, 200)
    assert lengths(flow(-5)) == (0, 5, 0, 5)
    assert lengths(flow()) is None


def test_the_same_traffic_is_no_drift() -> None:
    inputs, rng = Inputs(), random.Random(1)
    feed(inputs, rng, REFERENCE + 20 * LATEST)
    assert not inputs.changed
    assert inputs.distance is not None
    assert inputs.distance < 0.1


def test_other_traffic_is_one_after_two_tests() -> None:
    inputs, rng = Inputs(), random.Random(1)
    feed(inputs, rng, REFERENCE + LATEST)
    feed(inputs, rng, LATEST, scale=3.0)
    assert not inputs.changed
    feed(inputs, rng, LATEST, scale=3.0)
    assert inputs.changed
    assert "bytes sent (distance 0." in inputs.text
    assert len(inputs.text) < 250
    feed(inputs, rng, LATEST)
    assert not inputs.changed


def test_a_change_that_is_certain_and_small_does_not_matter() -> None:
    inputs, rng = Inputs(), random.Random(1)
    feed(inputs, rng, REFERENCE)
    feed(inputs, rng, 10 * LATEST, scale=1.15)
    assert not inputs.changed


def test_one_client_alone_changes_nothing() -> None:
    inputs, rng = Inputs(), random.Random(1)
    feed(inputs, rng, REFERENCE + LATEST)
    for _ in range(4 * LATEST):
        inputs.add(1000, flow(60_000, -60_000))
        feed(inputs, rng, 1)
        assert not inputs.changed
    assert inputs.distance is not None
    assert inputs.distance > 0.1  # it is seen, and is too little


def test_few_clients_have_few_flows_and_nothing_is_said() -> None:
    inputs, rng = Inputs(), random.Random(1)
    feed(inputs, rng, 10 * REFERENCE, clients=1)
    assert inputs.sizes == (200, 100)
    assert inputs.distance is not None


def test_a_worker_that_is_never_idle_tests_all_the_same() -> None:
    inputs = Inputs()
    for at in range(REFERENCE + NEVER_IDLE):
        assert inputs.distance is None
        inputs.add(at % 50, flow(at % 7 + 1, -100))
    assert inputs.distance is not None


@pytest.mark.parametrize("seed", range(40))
def test_it_decides_as_scipy_does(seed: int) -> None:
    rng = np.random.default_rng(seed)
    first = rng.lognormal(6, 1, rng.integers(LEAST, REFERENCE)).astype(np.int64)
    second = (rng.lognormal(6, 1, rng.integers(LEAST, LATEST)) * rng.uniform(0.4, 1)).astype(np.int64)
    distance, p = kolmogorov_smirnov(first, second)
    theirs = ks_2samp(first, second, method="asymp")
    assert distance == pytest.approx(theirs.statistic, abs=1e-12)
    if 1e-6 < theirs.pvalue < 0.1:
        assert p == pytest.approx(theirs.pvalue, rel=0.15)
    assert (p * len(NAMES) < CERTAIN) == (theirs.pvalue * len(NAMES) < CERTAIN)


def test_the_same_numbers_have_no_distance() -> None:
    same = np.arange(LEAST)
    assert kolmogorov_smirnov(same, same[::-1]) == (0.0, 1.0)
    assert kolmogorov_smirnov(same, same + LEAST)[0] == 1.0
