"""A training: a clone's weights put into place, epochs shown, and the same again without a part of the samples, to calibrate by.

Loads TensorFlow.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from eacf.errors import SettingError
from eacf.features import Features, Lengths
from eacf_trainer import learning, networks
from eacf_trainer.learning import Taught
from eacf_trainer.shown import Shown
from eacf_trainer.watch import rebin
from eacf_trainer.watch.memory import Epochs, Memory
from eacf_trainer.watch.parent import Parent
from eacf_trainer.watch.settings import Update as Settings

LEAST_CROSSED = 100
"""New samples, with fewer of which none are asked about by networks that did not learn from them."""


@dataclass(frozen=True)
class Course:
    """All that decides a training but its samples."""

    parent: Parent
    labels: Sequence[str]
    features: Features
    memory: Memory
    """As the features see it."""
    settings: Settings
    seed: int

    @property
    def outputs(self) -> int:
        return len(self.labels) + self.parent.background

    def fit(self, taught: Taught, weights: NDArray[np.float32]) -> tuple[networks.Network, list[float], Shown]:
        """A clone, or a network of its own, trained; the loss of each epoch; what it was shown. SettingError where one is no number."""
        parent, settings = self.parent, self.settings
        shown = Shown(parent.recipe, self.features, taught, self.seed)
        network = networks.build(parent.recipe.network, self.features.shape[0], self.outputs)
        if settings.start == "clone":
            fresh = network.get_weights()
            network.set_weights(_cloned(parent, self.features, taught, self.memory, fresh, len(self.labels)))
        epochs = Epochs(shown, weights[taught.wanted < len(self.labels)], self.memory, len(self.labels))
        training = replace(
            parent.recipe.training,
            epochs=settings.epochs or parent.recipe.training.epochs,
            learning_rate=parent.recipe.training.learning_rate * settings.learning_rate,
        )
        losses: list[float] = []

        def after(number: int, loss: float) -> None:
            if not math.isfinite(loss):
                raise SettingError(
                    f"update.learning_rate is {settings.learning_rate:g} of the recipe's, and the loss became no number in epoch "
                    f"{number + 1}; lower it"
                )
            losses.append(round(loss, 6))

        networks.train(network, epochs, training, parent.mu, parent.sd, after=after)
        return network, losses, shown

    def crossed(
        self, taught: Taught, weights: NDArray[np.float32], new: NDArray[np.bool_]
    ) -> list[tuple[NDArray[np.float32], NDArray[np.int64]]]:
        """What is said of new samples by networks that did not learn from them, as folds calibrate a run of `eacf-train fit`, and
        their outputs. Not of replayed ones, which the parent has learnt from, nor of a part without which no sample of a label is left."""
        places = np.flatnonzero(new)
        if not self.settings.folds or len(places) < LEAST_CROSSED:
            return []
        order = np.random.default_rng((self.seed, 1 << 39)).permutation(places)
        found = []
        for fold in range(self.settings.folds):
            asked = np.sort(order[fold :: self.settings.folds])
            keep = np.ones(len(taught.wanted), bool)
            keep[asked] = False
            if not (taught.wanted[keep] < taught.outputs).any():
                continue
            network, _, _ = self.fit(taught.only(keep), weights[keep])
            rows = learning.rows(self.features, taught.table[asked])
            found.append((networks.logits(network, rows, self.parent.mu, self.parent.sd), taught.wanted[asked]))
        return found


def _cloned(
    parent: Parent,
    features: Features,
    taught: Taught,
    memory: Memory,
    fresh: list[NDArray[np.float32]],
    labels: int,
) -> list[NDArray[np.float32]]:
    """The parent's weights in a network with more outputs, for other bins; `fresh` are those of a new network."""
    made = [np.array(each) for each in parent.weights]
    if (
        isinstance(features, Lengths)
        and isinstance(parent.features, Lengths)
        and features.edges != parent.features.edges
    ):
        values = features.layout.of(learning.looked_at(taught.table, features.layout))
        if memory.values is not None and len(memory.values):
            values = np.concatenate([values, memory.values])
        made[0] = rebin.carried(made[0], parent.features, features, values)
    old = len(parent.labels)
    if labels > old:
        kernel, bias = np.array(fresh[-2]), np.array(fresh[-1])
        kernel[:, :old], bias[:old] = made[-2][:, :old], made[-1][:old]
        if parent.background:
            kernel[:, -1], bias[-1] = made[-2][:, -1], made[-1][-1]
        bias[old:labels] = made[-1].mean()
        made[-2:] = [kernel, bias]
    return made
