"""A network from a lesson: features learnt, epochs shown, quantised. Loads TensorFlow."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eacf.errors import SettingError
from eacf.features import Features
from eacf_trainer import learning, networks, quantise
from eacf_trainer.bank import Bank
from eacf_trainer.learning import Lesson
from eacf_trainer.quantise import Quantisation
from eacf_trainer.recipe import Recipe
from eacf_trainer.shown import Shown

CURVE_POINTS, CURVE_ROWS = 12, 500
"""Epochs after which accuracy is looked at for the learning curve, and rows that are asked."""


@dataclass(frozen=True)
class Trained:
    """A network, and the same network as a sensor would run it."""

    network: networks.Network
    features: Features
    mu: int
    sd: float
    outputs: int
    """Labels; the network has one more output if `background`."""
    background: bool
    model: bytes
    """Full int8."""
    quantisation: Quantisation
    ranges: NDArray[np.uint8]
    """Rows that the quantiser took its ranges from."""
    losses: list[float]
    accuracies: list[tuple[float, float]]
    """By epoch, on training rows and on the rows asked about; NaN where not looked at."""


def train(
    recipe: Recipe,
    bank: Bank,
    lesson: Lesson,
    seed: int,
    *,
    asked: tuple[learning.Table, NDArray[np.int64]] | None = None,
    say: learning.Say = lambda text: None,
) -> Trained:
    """Train `recipe`'s network. `asked`: samples and outputs that a learning curve is drawn for; they decide nothing."""
    settings = recipe.training
    networks.deterministic(seed)
    kept = learning.capped(lesson, settings.flows_per_label, np.random.default_rng(seed))
    samples = learning.taught(bank, kept, recipe.input)
    made = learning.features(recipe, samples, seed)
    shown = Shown(recipe, made, samples, seed)
    mu, sd = normalisation(recipe, shown.rows)
    width, outputs = made.shape[0], shown.targets.shape[1]
    several = recipe.network.kind == "dense" and recipe.network.members > 1
    learning_one = (
        networks.members(width, recipe.network, outputs) if several else networks.build(recipe.network, width, outputs)
    )
    losses: list[float] = []
    accuracies: list[tuple[float, float]] = []
    every = -(-settings.epochs // CURVE_POINTS)
    looked_at = [] if asked is None else [some(shown.rows, shown.wanted), some(learning.rows(made, asked[0]), asked[1])]

    def after(number: int, loss: float) -> None:
        if not math.isfinite(loss):
            raise SettingError(
                f"recipe {recipe.name}: training.learning_rate is {settings.learning_rate:g}, and the loss became no number in "
                f"epoch {number + 1}; lower it"
            )
        losses.append(round(loss, 6))
        accuracies.append((np.nan, np.nan))
        if looked_at and ((number + 1) % every == 0 or number + 1 == settings.epochs):
            first, second = (
                accuracy(networks.logits(learning_one, x, mu, sd), y, lesson.outputs) for x, y in looked_at
            )
            accuracies[-1] = (first, second)
        if (number + 1) % -(-settings.epochs // 10) == 0:
            say(f"epoch {number + 1} of {settings.epochs}, loss {loss:.4f}")

    networks.train(learning_one, shown.epoch, settings, mu, sd, after=after)
    network = networks.merged(learning_one, recipe.network, width, outputs) if several else learning_one
    ranges = quantise.calibration_rows(shown.rows)
    model, found = quantise.convert(network, ranges, mu, sd)
    return Trained(network, made, mu, sd, lesson.outputs, shown.background, model, found, ranges, losses, accuracies)


def some(rows: NDArray[np.uint8], wanted: NDArray[np.int64]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """At most CURVE_ROWS of them, evenly taken."""
    step = max(1, -(-len(rows) // CURVE_ROWS))
    return rows[::step], wanted[::step]


def accuracy(logits: NDArray[np.float32], wanted: NDArray[np.int64], outputs: int) -> float:
    """Share of rows whose best label is the wanted one; those of no label are left out. NaN without rows."""
    known = wanted < outputs
    return float((logits[known, :outputs].argmax(axis=1) == wanted[known]).mean()) if known.any() else float("nan")


def normalisation(recipe: Recipe, rows: NDArray[np.uint8]) -> tuple[int, float]:
    """One mu, a whole number, and one sd for all bytes (paper, III-A-2); one-hot rows become exactly 0 and 1."""
    if recipe.input.features == "lengths":
        return 0, 255.0
    return round(float(rows.mean())), round(float(rows.std()), 3) or 1.0


def answers(model: Trained, table: learning.Table) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(m, outputs) logits of the quantised model, and of the float network."""
    rows = learning.rows(model.features, table)
    if not len(rows):
        none = np.zeros((0, model.outputs + model.background), np.float32)
        return none, none
    floats = networks.logits(model.network, rows, model.mu, model.sd)
    return quantise.logits(model.model, model.quantisation, rows), floats
