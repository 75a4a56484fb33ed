"""What must not be forgotten: rows that a model kept of labels of which there is no sample now, and its opinion of them.

The opinion is the target, not the label (Li and Hoiem, Learning without Forgetting, 2017). Loads TensorFlow, to ask for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from eacf.features import Features, Lengths
from eacf_trainer import networks
from eacf_trainer.calibrate import softmax
from eacf_trainer.networks import Epoch
from eacf_trainer.shown import Shown
from eacf_trainer.watch import rebin
from eacf_trainer.watch.parent import Parent


@dataclass(frozen=True)
class Memory:
    """Rows that the parent kept of labels that must not be forgotten, and what it says of them."""

    labels: tuple[int, ...]
    rows: NDArray[np.uint8]
    """(n, width)."""
    opinions: NDArray[np.float32]
    """(n, the parent's outputs) probabilities."""
    values: NDArray[np.int64] | None
    """(n, columns) lengths that would give such rows; None for other features."""

    @classmethod
    def of(cls, parent: Parent, labels: Sequence[int], seed: int) -> Memory:
        """Those whose best label, by the parent's own word, is one of `labels`."""
        if not len(labels) or not len(parent.ranges):
            none = np.zeros((0, len(parent.labels) + parent.background), np.float32)
            return cls((), parent.ranges[:0], none, None)
        network = networks.build(
            parent.recipe.network, parent.features.shape[0], len(parent.labels) + parent.background
        )
        network.set_weights(list(parent.weights))
        opinions = softmax(networks.logits(network, parent.ranges, parent.mu, parent.sd)).astype(np.float32)
        best = opinions.argmax(axis=1)
        keep = np.isin(best, np.asarray(labels, np.int64))
        rows = parent.ranges[keep]
        values = None
        if isinstance(parent.features, Lengths):
            values = rebin.values_of(parent.features, rows, np.random.default_rng((seed, 1 << 37)))
        return cls(tuple(sorted({int(label) for label in best[keep]})), rows, opinions[keep], values)

    def seen_by(self, features: Features) -> Memory:
        """The same rows as other features make them."""
        if self.values is None or not isinstance(features, Lengths):
            return self
        rows = np.zeros((len(self.values), *features.shape), np.uint8)
        features.fill_values(self.values.copy(), rows)
        return replace(self, rows=rows)

    def targets(self, labels: int, background: bool) -> NDArray[np.float32]:
        """(n, outputs) of a network with more labels, the background last."""
        made = np.zeros((len(self.rows), labels + background), np.float32)
        old = self.opinions.shape[1] - background
        made[:, :old] = self.opinions[:, :old]
        if background:
            made[:, -1] = self.opinions[:, -1]
        return made


class Epochs:
    """What :class:`Shown` shows, weighted, and the memory beside it."""

    def __init__(self, shown: Shown, weights: NDArray[np.float32], memory: Memory, labels: int) -> None:
        shown.weigh(weights)
        self._shown, self._memory = shown, memory
        self._targets = memory.targets(labels, shown.background)
        counts = np.bincount(shown.wanted, minlength=labels)
        there = counts[counts > 0]
        usual = float(np.median(there)) if len(there) else 0.0
        each = len(memory.rows) / max(len(memory.labels), 1)
        self._times = max(1, round(usual / each)) if len(memory.rows) else 0

    def __call__(self, number: int) -> Epoch:
        """A label that is remembered is shown about as often as the others are."""
        epoch = self._shown.epoch(number)
        if not self._times:
            return epoch
        rows, targets = (np.repeat(each, self._times, axis=0) for each in (self._memory.rows, self._targets))
        rng = np.random.default_rng((number, 1 << 38))
        order = rng.permutation(len(epoch.rows) + len(rows))
        return Epoch(
            np.concatenate([epoch.rows, rows])[order],
            np.concatenate([epoch.targets, targets])[order],
            np.concatenate([epoch.weights, np.ones(len(rows), np.float32)])[order],
        )
