"""The flows that all cells share: those of labels with enough of them, up to 700 a label drawn at random (paper, IV-A)."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from eacf.features import Paper
from eacf.flow import Sample
from eacf_trainer.experiments.settings import ExperimentError, Settings
from eacf_trainer.splits import merged_groups

if TYPE_CHECKING:
    from eacf.labels import LabelRules
    from eacf_trainer.dataset import Dataset

DRAW_SEED = 0
"""Flows are drawn once: seeds vary the split and the initial weights, as if the paper's sample were at hand."""
COPY_BYTES = 256
"""Connections with so much ciphertext in common and the same length are copies of one."""
CUT = "stream"
COLUMNS = ("cut", "capture", "server_name", "tls_version")


@dataclass(frozen=True)
class Flows:
    """What is classified. Row i of everything is flow i."""

    id: str
    """12 hex digits of all that follows (payload by the dataset's id)."""
    samples: list[Sample]
    labels: tuple[str, ...]
    wanted: NDArray[np.int64]
    """(n,) label number."""
    groups: NDArray[np.int64]
    """(n,) capture; captures that hold copies of one connection are one."""
    tls: NDArray[np.int64]
    """(n,) TLS version as on the wire (0x0304), 0 if unknown."""
    left_out: dict[str, str]
    """Labels with too little: label to reason."""

    @property
    def longest(self) -> int:
        """Payload bytes of the flow that has most."""
        return max(len(sample.payload) for sample in self.samples)


def load(dataset: Dataset, rules: LabelRules, settings: Settings) -> Flows:
    """Flows of the dataset's stream cut. Payload is read of those that are drawn alone.

    Raises ExperimentError if there is no such cut, no payload, or fewer than two labels with enough flows and captures.
    """
    from eacf_trainer.dataset.schema import unescaped

    columns = dataset.table(COLUMNS).to_pydict()
    names = [
        rules.label(None if server_name is None else unescaped(server_name)) if cut == CUT else None
        for cut, server_name in zip(columns["cut"], columns["server_name"], strict=True)
    ]
    if CUT not in columns["cut"]:
        raise ExperimentError(
            f"{dataset.folder}: no row has the {CUT!r} cut, only record lengths; build it from captures, or record with payload"
        )
    rows, left_out = draw(names, columns["capture"], settings)
    samples = [sample for _, part in dataset.samples(np.array(rows, np.int64)) for sample in part]
    if samples and not any(sample.payload for sample in samples):
        raise ExperimentError(
            f"{dataset.folder}: the dataset holds no payload, which the paper's input is made of; build it without --no-payload"
        )
    return gather(
        samples,
        [str(names[row]) for row in rows],
        [columns["capture"][row] for row in rows],
        [columns["tls_version"][row] or 0 for row in rows],
        settings,
        left_out,
        [dataset.id, rows],
    )


def draw(names: Sequence[str | None], captures: Sequence[str], settings: Settings) -> tuple[list[int], dict[str, str]]:
    """Rows of the labels that have enough, at most `flows_per_label` of each at random, ascending; and who was left out."""
    left_out = _too_few(names, captures, settings)
    rng = np.random.default_rng(DRAW_SEED)
    count: Counter[str] = Counter()
    taken = []
    for row in rng.permutation(len(names)).tolist():
        name = names[row]
        if name is not None and name not in left_out and count[name] < settings.flows_per_label:
            count[name] += 1
            taken.append(row)
    return sorted(taken), left_out


def gather(
    samples: Sequence[Sample],
    names: Sequence[str],
    captures: Sequence[str],
    tls: Sequence[int],
    settings: Settings,
    left_out: dict[str, str],
    identity: object,
) -> Flows:
    """Flows without those that lack payload; labels are counted once more, now that copies join captures.

    `identity`: what names the samples, as JSON values; it goes into the id.
    """
    size = min(settings.sizes)
    fit = [row for row, sample in enumerate(samples) if Paper(size).lacks(sample) is None]
    number = {capture: place for place, capture in enumerate(dict.fromkeys(captures))}
    groups = merged_groups(
        np.array([number[captures[row]] for row in fit], np.int64), [copy_key(samples[row]) for row in fit]
    )
    too_few = _too_few([names[row] for row in fit], groups.tolist(), settings)
    left_out = {**left_out, **too_few}
    kept = [place for place, row in enumerate(fit) if names[row] not in left_out]
    rows = [fit[place] for place in kept]
    labels = tuple(sorted({names[row] for row in rows}))
    if len(labels) < 2:
        raise ExperimentError(
            f"{len(labels)} label{'s' * (len(labels) != 1)} with at least {settings.min_flows} flows in"
            f" {settings.min_captures} captures, 2 are needed ({_listed(left_out)}); add captures, lower --min-flows or"
            " --min-captures, or use another label map"
        )
    wanted = np.array([labels.index(names[row]) for row in rows], np.int64)
    text = json.dumps([identity, rows, labels, wanted.tolist(), groups[kept].tolist()])
    return Flows(
        id=hashlib.sha256(text.encode()).hexdigest()[:12],
        samples=[samples[row] for row in rows],
        labels=labels,
        wanted=wanted,
        groups=groups[kept],
        tls=np.array([tls[row] for row in rows], np.int64),
        left_out=dict(sorted(left_out.items())),
    )


def copy_key(sample: Sample) -> tuple[int, bytes]:
    """The same for copies of one connection, else different: ciphertext does not repeat."""
    return len(sample.payload), sample.payload[:COPY_BYTES]


def _too_few(names: Sequence[str | None], captures: Sequence[object], settings: Settings) -> dict[str, str]:
    """Labels with fewer flows or captures than are asked for, with both numbers."""
    flows: Counter[str] = Counter()
    seen: dict[str, set[object]] = {}
    for name, capture in zip(names, captures, strict=True):
        if name is not None:
            flows[name] += 1
            seen.setdefault(name, set()).add(capture)
    return {
        name: f"{count} flows in {len(seen[name])} capture{'s' * (len(seen[name]) != 1)}"
        for name, count in sorted(flows.items())
        if count < settings.min_flows or len(seen[name]) < settings.min_captures
    }


def _listed(left_out: dict[str, str], most: int = 5) -> str:
    shown = [f"{label}: {reason}" for label, reason in list(left_out.items())[:most]]
    return ", ".join(shown + [f"{len(left_out) - most} more"] * (len(left_out) > most)) or "no server name has a label"
