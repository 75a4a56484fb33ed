"""A clone of a model learns new samples and older ones again. Pure: arrays in, a candidate out. Loads TensorFlow.

The clone begins with its parent's float weights. Labels that the parent does not know get outputs of their own once they have enough
samples. Bins are learnt anew, and weights carried over to them (:mod:`.rebin`). Labels of which there is no sample are kept by rows that
the parent kept (:mod:`.memory`). Older samples that the new ones contradict, and any that all others contradict, do not train
(:mod:`.doubt`). The rest of the recipe, its teacher and its made-up flows, is as ever.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eacf import bundle
from eacf.errors import SettingError
from eacf.features import Features, Lengths
from eacf_trainer import learning, networks, quantise, runs
from eacf_trainer.calibrate import Calibration
from eacf_trainer.export import GOLDEN_ROWS, verdict_rules
from eacf_trainer.learning import Taught
from eacf_trainer.quantise import Quantisation
from eacf_trainer.shown import Shown
from eacf_trainer.watch import doubt, rebin
from eacf_trainer.watch import settings as all_settings
from eacf_trainer.watch.course import Course
from eacf_trainer.watch.memory import Memory
from eacf_trainer.watch.parent import Parent
from eacf_trainer.watch.thresholds import calibration

Say = Callable[[str], None]
Settings = all_settings.Update


@dataclass(frozen=True)
class Samples:
    """What is learnt from, or calibrated by."""

    table: learning.Table
    """(n, records) int64 record lengths as :func:`eacf.features.lengths.tabulated` gives; for other features (n, width) rows."""
    wanted: Sequence[str | None]
    """(n,) labels; None: of none, background."""
    clients: Sequence[str]
    """(n,) whose they are."""
    weights: NDArray[np.float32] | None = None
    """(n,) how much each counts; None: all the same."""
    new: NDArray[np.bool_] | None = None
    """(n,) which are not replayed; None: all are new."""

    def __len__(self) -> int:
        return len(self.wanted)


@dataclass(frozen=True)
class Candidate:
    """A model that may take its parent's place."""

    parent: Parent
    """What it came from."""
    labels: tuple[str, ...]
    background: bool
    features: Features
    weights: Mapping[str, NDArray[np.float32]]
    ranges: NDArray[np.uint8]
    calibration: Calibration
    mu: int
    sd: float
    model: bytes
    """Full int8."""
    quantisation: Quantisation
    losses: tuple[float, ...]
    added: tuple[str, ...]
    """Labels that the parent did not have."""
    kept: tuple[str, ...]
    """Labels with too few samples, held by what the parent kept of them."""
    learnt: int
    """Samples that trained."""
    dropped: Mapping[str, int]
    """Samples that did not, since the others contradict them, by label."""
    stale: int
    """Older samples that did not, since the new ones contradict them."""
    calibrated: int
    """Samples that calibrated."""
    seed: int

    def logits(self, table: learning.Table) -> NDArray[np.float32]:
        """(n, outputs) of the int8 model."""
        rows = learning.rows(self.features, table)
        if not len(rows):
            return np.zeros((0, len(self.labels) + self.background), np.float32)
        return quantise.logits(self.model, self.quantisation, rows)

    def document(
        self,
        *,
        lineage: Mapping[str, Any],
        rules: Mapping[str, str] | None = None,
        created: str | None = None,
        figures: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Its manifest, for :func:`eacf.bundle.write`. `rules`: more of the label map; `created`: UTC, the fixed time if None."""
        before = self.parent.document
        step = max(1, len(self.ranges) // GOLDEN_ROWS)
        golden = self.ranges[::step][:GOLDEN_ROWS]
        ends = self.quantisation
        return {
            "name": before["name"],
            "version": before["version"],
            "created": created or runs.created(),
            "labels": list(self.labels),
            "background": self.background,
            "features": self.features.spec(),
            "label_map": {**before["label_map"], **(rules or {})},
            **verdict_rules(self.labels, self.calibration),
            "quantisation": {
                "input": {"scale": ends.input_scale, "zero_point": ends.input_zero_point},
                "output": {"scale": ends.output_scale, "zero_point": ends.output_zero_point},
            },
            "training": {
                "recipe": self.parent.recipe.document(),
                "seed": self.seed,
                "learnt": self.learnt,
                "lineage": dict(lineage),
            },
            "figures": dict(figures or {}),
            "libraries": runs.versions(),
            "golden": bundle.golden(golden, quantise.outputs(self.model, golden)),
        }


def train(
    parent: Parent,
    learnt: Samples,
    calibrating: Samples,
    settings: Settings | None = None,
    seed: int | None = None,
    *,
    say: Say = lambda text: None,
) -> Candidate:
    """A candidate from `learnt`, calibrated by `calibrating`, which must be other samples. The same arguments, the same bytes.

    `seed` None: the parent's. Raises SettingError where there is nothing to learn from, or the loss becomes no number.
    """
    settings = settings or Settings()
    seed = parent.seed if seed is None else seed
    networks.deterministic(seed)
    added = new_labels(parent, learnt, settings)
    labels = (*parent.labels, *added)
    taught, weights, new = _taught(parent, learnt, labels)
    if not len(taught.table) or not (taught.wanted < len(labels)).any():
        raise SettingError("no sample of a label to learn from; let `eacf collect` gather some")
    current = _current(parent, taught, new, settings, seed)
    taught, weights = taught.only(current), weights[current]
    clean = _doubted(parent, taught, weights, settings, seed)
    names = [*labels, "background"]
    dropped = {names[label]: int(count) for label, count in enumerate(np.bincount(taught.wanted[~clean])) if count}
    taught, weights = taught.only(clean), weights[clean]
    say(
        f"{len(taught.wanted)} samples to learn from, {int((~clean).sum())} contradicted, {int((~current).sum())} out of date"
    )
    counts = np.bincount(taught.wanted, minlength=len(labels) + 1)
    memory = Memory.of(parent, [label for label in range(len(parent.labels)) if counts[label] < settings.absent], seed)
    features = _features(parent, taught, memory, settings, seed)
    memory = memory.seen_by(features)
    course = Course(parent, labels, features, memory, settings, seed)
    network, losses, shown = course.fit(taught, weights)
    say(f"loss {losses[-1]:.4f} after {len(losses)} epochs")
    ranges = _ranges(shown, memory)
    model, ends = quantise.convert(network, ranges, parent.mu, parent.sd)
    held, _, _ = _taught(parent, calibrating, labels)
    lied = _contradicted_by(parent, taught, weights, held, settings, seed)
    asked = len(clean) + len(lied)
    contradicted = (int((~clean).sum()) + int(lied.sum())) / asked if asked else 0.0
    held = held.only(~lied)
    rows = learning.rows(features, held.table)
    said = [quantise.logits(model, ends, rows)] if len(rows) else []
    crossed = course.crossed(taught, weights, new[current][clean])
    say(f"{len(held.wanted)} samples held out and {sum(len(wanted) for _, wanted in crossed)} crossed calibrate")
    found = calibration(
        parent,
        np.concatenate([*said, *(logits for logits, _ in crossed), np.zeros((0, course.outputs), np.float32)]),
        np.concatenate([held.wanted, *(wanted for _, wanted in crossed)]),
        labels,
        contradicted=contradicted,
    )
    return Candidate(
        parent=parent,
        labels=labels,
        background=parent.background,
        features=features,
        weights=networks.weights(network),
        ranges=ranges,
        calibration=found,
        mu=parent.mu,
        sd=parent.sd,
        model=model,
        quantisation=ends,
        losses=tuple(losses),
        added=added,
        kept=tuple(labels[label] for label in memory.labels),
        learnt=len(taught.wanted),
        dropped=dropped,
        stale=int((~current).sum()),
        calibrated=len(held.wanted) + sum(len(wanted) for _, wanted in crossed),
        seed=seed,
    )


def new_labels(parent: Parent, learnt: Samples, settings: Settings) -> tuple[str, ...]:
    """Labels that have enough samples, of enough clients, to get an output, in the order of their names."""
    clients: dict[str, list[str]] = {}
    for label, client in zip(learnt.wanted, learnt.clients, strict=True):
        if label is not None and label not in parent.labels:
            clients.setdefault(label, []).append(client)
    return tuple(
        label
        for label, whose in sorted(clients.items())
        if len(whose) >= settings.new_label and len(set(whose)) >= settings.new_label_clients
    )


def outputs_of(wanted: Sequence[str | None], labels: Sequence[str]) -> NDArray[np.int64]:
    """(n,) output of each label; those that are none of `labels` are background, ``len(labels)``."""
    number = {label: place for place, label in enumerate(labels)}
    return np.array([len(labels) if label is None else number.get(label, len(labels)) for label in wanted], np.int64)


def _taught(
    parent: Parent, samples: Samples, labels: Sequence[str]
) -> tuple[Taught, NDArray[np.float32], NDArray[np.bool_]]:
    """With outputs for labels, weights of 1 on average, and which are new. What a model without background cannot learn is left out."""
    wanted = outputs_of(samples.wanted, labels)
    weights = np.ones(len(wanted), np.float32) if samples.weights is None else np.asarray(samples.weights, np.float32)
    new = np.ones(len(wanted), bool) if samples.new is None else np.asarray(samples.new, bool)
    keep = np.ones(len(wanted), bool) if parent.background else wanted < len(labels)
    weights = weights[keep]
    table = np.asarray(samples.table)[keep]
    return Taught(table, wanted[keep], len(labels)), weights / (weights.mean() if len(weights) else 1), new[keep]


def _current(
    parent: Parent, taught: Taught, new: NDArray[np.bool_], settings: Settings, seed: int
) -> NDArray[np.bool_]:
    """(n,) all but older samples that the new ones contradict. Nobody contradicts background, or a label that has no new sample."""
    current = np.ones(len(taught.wanted), bool)
    known = taught.wanted < taught.outputs
    asked = np.flatnonzero(known & ~new)
    if not settings.stale or not len(asked):
        return current
    shown = known & new
    counts = np.bincount(taught.wanted[shown], minlength=taught.outputs)
    asked = asked[counts[taught.wanted[asked]] >= settings.absent]
    numbers = _numbers(parent, taught.table[shown])
    current[asked] = ~doubt.doubted(
        (numbers, taught.wanted[shown], np.ones(len(numbers), np.float32)),
        _numbers(parent, taught.table[asked]),
        taught.wanted[asked],
        seed,
        own=settings.stale_own,
        other=settings.stale_other,
    )
    return current


def _numbers(parent: Parent, table: learning.Table) -> NDArray[np.float32]:
    return learning.numbers(parent.recipe.input, table)


def _doubted(
    parent: Parent, taught: Taught, weights: NDArray[np.float32], settings: Settings, seed: int
) -> NDArray[np.bool_]:
    """(n,) samples that are learnt from. Background is never contradicted: it may look like anything."""
    clean = np.ones(len(taught.wanted), bool)
    if settings.doubt:
        known = taught.wanted < taught.outputs
        clean[known] = ~doubt.contradicted(
            _numbers(parent, taught.table[known]),
            taught.wanted[known],
            weights[known],
            seed,
            own=settings.doubt_own,
            other=settings.doubt_other,
            most=settings.doubt_most,
        )
    return clean


def _contradicted_by(
    parent: Parent, taught: Taught, weights: NDArray[np.float32], held: Taught, settings: Settings, seed: int
) -> NDArray[np.bool_]:
    """(m,) held-out samples that those learnt from contradict: with wrong names among them no label would reach its precision."""
    found = np.zeros(len(held.wanted), bool)
    if not settings.doubt or not len(found):
        return found
    known, asked = taught.wanted < taught.outputs, held.wanted < held.outputs
    shown = (_numbers(parent, taught.table[known]), taught.wanted[known], weights[known])
    found[asked] = doubt.doubted(
        shown,
        _numbers(parent, held.table[asked]),
        held.wanted[asked],
        seed,
        own=settings.doubt_own,
        other=settings.doubt_other,
    )
    return found


def _features(parent: Parent, taught: Taught, memory: Memory, settings: Settings, seed: int) -> Features:
    old = parent.features
    if settings.bins == "keep" or not isinstance(old, Lengths):
        return old
    values = old.layout.of(learning.looked_at(taught.table, old.layout))
    return rebin.refitted(old, values, taught.wanted, seed, memory.values)


def _ranges(shown: Shown, memory: Memory) -> NDArray[np.uint8]:
    """Rows for the quantiser, and for those that come after: some of each label, and all of the memory as far as there is room."""
    most = quantise.MAX_CALIBRATION_ROWS
    kept = memory.rows[:: max(1, -(-len(memory.rows) // (most // 2)))]
    by_label = np.argsort(shown.wanted, kind="stable")
    rows = shown.rows[by_label]
    room = most - len(kept)
    chosen = rows[np.unique(np.linspace(0, len(rows) - 1, min(room, len(rows))).astype(int))]
    return quantise.calibration_rows(np.concatenate([chosen, kept]))
