from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from eacf_trainer import networks
from eacf_trainer.networks import Epoch
from eacf_trainer.recipe import Network, Recipe, Training

Shown = Callable[[int], Epoch]
DENSE = Network("dense", hidden=(24,))
QUICK = Training(epochs=2, batch=32, learning_rate=0.01)


@pytest.fixture
def shown() -> Shown:
    """Two labels that one byte tells apart, in another order each epoch."""

    def epoch(number: int) -> Epoch:
        rng = np.random.default_rng(number)
        wanted = rng.integers(0, 2, 90)
        rows = rng.integers(0, 256, (90, 6), dtype=np.uint8)
        rows[:, 0] = wanted * 255
        return Epoch(rows, np.eye(2, dtype=np.float32)[wanted], np.ones(90, np.float32))

    return epoch


def learnt(settings: Training, shown: Shown, seed: int) -> dict[str, NDArray[np.float32]]:
    networks.deterministic(seed)
    network = networks.build(DENSE, 6, 2)
    networks.train(network, shown, settings, 0, 255.0)
    return networks.weights(network)


def test_a_seed_decides_every_weight_and_every_name(shown: Shown) -> None:
    first, again, other = (learnt(QUICK, shown, seed) for seed in (4, 4, 5))
    assert list(first) == list(again) == ["hidden_0.kernel", "hidden_0.bias", "logits.kernel", "logits.bias"]
    assert all((first[name] == again[name]).all() for name in first)
    assert not (first["hidden_0.kernel"] == other["hidden_0.kernel"]).all()


def test_what_it_is_taught_it_learns(shown: Shown) -> None:
    networks.deterministic(1)
    network = networks.build(DENSE, 6, 2)
    told: list[tuple[int, float]] = []
    settings = replace(QUICK, epochs=30, learning_rate=0.02, decay=True)
    networks.train(network, shown, settings, 0, 255.0, after=lambda number, loss: told.append((number, loss)))
    assert [number for number, _ in told] == list(range(30))
    assert told[-1][1] < 0.3 * told[0][1]
    epoch = shown(99)
    logits = networks.logits(network, epoch.rows, 0, 255.0)
    assert (logits.argmax(axis=1) == epoch.targets.argmax(axis=1)).mean() > 0.9


def test_every_row_of_an_epoch_is_seen_the_last_batch_too(shown: Shown) -> None:
    """With next to no learning rate and no dropout the loss of an epoch is that of all of its rows, as they weigh."""
    networks.deterministic(1)
    still = Training(epochs=1, batch=64, learning_rate=1e-12)
    network = networks.build(replace(DENSE, dropout=0.0), 6, 2)
    weights = np.linspace(0.5, 1.5, 90, dtype=np.float32)
    told: list[float] = []
    networks.train(
        network,
        lambda number: replace(shown(number), weights=weights),
        still,
        0,
        255.0,
        after=lambda number, loss: told.append(loss),
    )
    epoch = shown(0)
    logits = networks.logits(network, epoch.rows, 0, 255.0).astype(np.float64)
    likelihood = (np.exp(logits) * epoch.targets).sum(axis=1) / np.exp(logits).sum(axis=1)
    assert told == [pytest.approx(-(np.log(likelihood) * weights).mean(), abs=1e-5)]


def test_float_weights_make_the_same_network_again(shown: Shown) -> None:
    networks.deterministic(1)
    network = networks.build(DENSE, 6, 2)
    networks.train(network, shown, replace(QUICK, epochs=1), 0, 255.0)
    again = networks.build(DENSE, 6, 2)
    rows = shown(5).rows
    assert not np.allclose(networks.logits(again, rows, 0, 255.0), networks.logits(network, rows, 0, 255.0))
    again.set_weights(list(networks.weights(network).values()))
    assert (networks.logits(again, rows, 0, 255.0) == networks.logits(network, rows, 0, 255.0)).all()


@pytest.mark.parametrize("hidden", [(), (8,), (8, 5)])
def test_members_merged_say_their_mean(hidden: tuple[int, ...]) -> None:
    networks.deterministic(2)
    settings = Network("dense", hidden=hidden, members=3, dropout=0.0)
    several = networks.members(6, settings, 4)
    one = networks.merged(several, settings, 6, 4)
    rows = np.random.default_rng(1).integers(0, 256, (20, 6), dtype=np.uint8)
    each = several.predict(networks.normalised(rows, 0, 255.0), verbose=0)
    assert networks.logits(one, rows, 0, 255.0) == pytest.approx(np.mean(each, axis=0), abs=1e-5)
    built = networks.build(settings, 6, 4)
    assert [weight.shape for weight in built.weights] == [weight.shape for weight in one.weights]


def test_the_papers_network_has_the_papers_layers() -> None:
    """IV-B-1: 16, 16, 32, 32 filters of 3, two poolings by 2, dense 500 and 300; 12.16 million parameters on 3,000 bytes."""
    network = networks.build(Recipe("paper", network=Network("paper-cnn")).network, 3000, 8)
    shapes = [weight.shape for name, weight in networks.weights(network).items() if name.endswith("kernel")]
    assert shapes == [(3, 1, 16), (3, 16, 16), (3, 16, 32), (3, 32, 32), (24_000, 500), (500, 300), (300, 8)]
    assert 12.15e6 < network.count_params() < 12.17e6
    assert network.input_shape == (None, 3000)
    assert network.output_shape == (None, 8)


def test_normalised_bytes() -> None:
    floats = networks.normalised(np.array([[0, 127, 255]], np.uint8), 127, 64.0)
    assert floats.dtype == np.float32
    assert floats.tolist() == [[-127 / 64, 0, 2]]
