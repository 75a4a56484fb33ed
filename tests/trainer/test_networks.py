from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from eacf_trainer import networks, recipes
from eacf_trainer.config import Recipe

Rows = Callable[[int], tuple[NDArray[np.uint8], NDArray[np.int64]]]


@pytest.fixture
def rows() -> Rows:
    """Two labels that one byte tells apart, in another order each epoch."""

    def epoch(number: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        rng = np.random.default_rng(number)
        wanted = rng.integers(0, 2, 90)
        x = rng.integers(0, 256, (90, 6), dtype=np.uint8)
        x[:, 0] = wanted * 255
        return x, wanted

    return epoch


def learnt(recipe: Recipe, rows: Rows, seed: int) -> dict[str, NDArray[np.float32]]:
    networks.deterministic(seed)
    network = networks.build(recipe, 6, 2)
    networks.fit(network, rows, recipe, 0, 255.0)
    return networks.weights(network)


def test_a_seed_decides_every_weight_and_every_name(recipe: Recipe, rows: Rows) -> None:
    short = replace(recipe, epochs=2)
    first, again, other = (learnt(short, rows, seed) for seed in (4, 4, 5))
    assert list(first) == list(again) == ["dense.kernel", "dense.bias", "dense_1.kernel", "dense_1.bias"]
    assert all((first[name] == again[name]).all() for name in first)
    assert not (first["dense.kernel"] == other["dense.kernel"]).all()


def test_what_it_is_taught_it_learns(recipe: Recipe, rows: Rows) -> None:
    networks.deterministic(1)
    network = networks.build(recipe, 6, 2)
    said: list[str] = []
    history = networks.fit(network, rows, replace(recipe, epochs=40, learning_rate=0.02), 0, 255.0, said.append)
    assert len(history) == 40
    assert said[0] == f"small: epoch 4 of 40, loss {history[3]['loss']:.4f}"
    assert [text.split()[2] for text in said] == [str(number) for number in range(4, 41, 4)]
    assert history[-1]["loss"] < 0.3 * history[0]["loss"]
    assert history[-1]["accuracy"] > 0.9
    x, wanted = rows(99)
    assert (networks.logits(network, x, 0, 255.0).argmax(axis=1) == wanted).mean() > 0.9


def test_every_row_of_an_epoch_is_seen_the_last_batch_too(recipe: Recipe, rows: Rows) -> None:
    """With a learning rate of 0 and no dropout the loss of an epoch is that of all of its rows."""
    networks.deterministic(1)
    still = replace(recipe, epochs=1, batch=64, learning_rate=0.0, dropout=0.0)
    network = networks.build(still, 6, 2)
    (epoch,) = networks.fit(network, rows, still, 0, 255.0)
    x, wanted = rows(0)
    logits = networks.logits(network, x, 0, 255.0).astype(np.float64)
    likelihood = np.exp(logits[np.arange(90), wanted]) / np.exp(logits).sum(axis=1)
    assert epoch["loss"] == pytest.approx(-np.log(likelihood).mean(), abs=1e-5)


def test_float_weights_make_the_same_network_again(recipe: Recipe, rows: Rows) -> None:
    networks.deterministic(1)
    network = networks.build(recipe, 6, 2)
    networks.fit(network, rows, replace(recipe, epochs=1), 0, 255.0)
    again = networks.build(recipe, 6, 2)
    x, _ = rows(5)
    assert not np.allclose(networks.logits(again, x, 0, 255.0), networks.logits(network, x, 0, 255.0))
    again.set_weights(list(networks.weights(network).values()))
    assert (networks.logits(again, x, 0, 255.0) == networks.logits(network, x, 0, 255.0)).all()


def test_the_papers_network_has_the_papers_layers() -> None:
    """IV-B-1: 16, 16, 32, 32 filters of 3, two poolings by 2, dense 500 and 300; 12.16 million parameters on 3,000 bytes."""
    network = networks.build(recipes.PAPER, 3000, 8)
    shapes = [weight.shape for name, weight in networks.weights(network).items() if name.endswith("kernel")]
    assert shapes == [(3, 1, 16), (3, 16, 16), (3, 16, 32), (3, 32, 32), (24_000, 500), (500, 300), (300, 8)]
    assert 12.15e6 < network.count_params() < 12.17e6
    assert network.input_shape == (None, 3000)
    assert network.output_shape == (None, 8)


def test_normalised_bytes() -> None:
    floats = networks.normalised(np.array([[0, 127, 255]], np.uint8), 127, 64.0)
    assert floats.dtype == np.float32
    assert floats.tolist() == [[-127 / 64, 0, 2]]
