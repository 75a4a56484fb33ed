"""What a run is asked to do: frozen dataclasses, written to the run folder as they stand.

Nothing else decides a result: the same configuration, the same captures and the same machine give the same bundle bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

CREATED = "2026-11-01T00:00:00Z"
"""What a manifest says it was created at unless SOURCE_DATE_EPOCH says otherwise; raised by hand with each release."""

Way = Literal["records", "stream"]
"""How a sample was cut: "records" by Needs(0, ..., 16, False), as TLS analysis tells of it, "stream" by Needs()."""


@dataclass(frozen=True)
class CaptureSet:
    """Made-up captures of one purpose, one for each seed."""

    seeds: tuple[int, ...]
    connections: int
    """Connections in each capture."""
    conditions: tuple[str, ...]
    """Kinds of path, taken in turn."""
    sites: tuple[str, ...]
    """Names of sets of deployments, taken in turn; no two purposes may share one, or the model is asked about sites that it saw."""
    background_share: float
    """Part of the connections that are of no application."""


@dataclass(frozen=True)
class Plan:
    """The captures of training, validation (temperature and thresholds) and evaluation (figures; nothing is chosen on it)."""

    training: CaptureSet
    validation: CaptureSet
    evaluation: CaptureSet


@dataclass(frozen=True)
class Outliers:
    """Flows of no application, which the background output learns: made-up ones and the testbed's background traffic."""

    share: float = 0.0
    """Made-up rows for each row of a real flow, as drawn in an epoch; 0: none, and no background output."""
    pool: int = 5
    """Epochs' worth of made-up rows to draw from."""
    background_share: float = 0.0
    """Rows of the testbed's background traffic for each row of a known flow, as drawn in an epoch."""


@dataclass(frozen=True)
class Recipe:
    """One model: what it sees, what it is, how it is trained, when it may speak."""

    name: str
    version: str
    features: Literal["shape", "paper"]
    network: Literal["dense", "paper-cnn"]
    ways: tuple[Way, ...]
    """Cuts of each training flow that it learns from."""
    epochs: int
    batch: int
    learning_rate: float
    seed: int
    hidden: tuple[int, ...] = ()
    """Widths of the dense layers (of "dense"; the paper's are fixed)."""
    dropout: float = 0.0
    decay: bool = False
    """Whether the learning rate falls to 0 along a cosine; the paper's does not."""
    flows_per_label: int = 0
    """Most training flows of one label; 0: all there are."""
    records: int = 8
    bins: int = 64
    len_bytes: int = 3000
    outliers: Outliers = field(default_factory=Outliers)
    precision: float = 0.95
    """Share of right answers that each label's threshold must reach on the validation set."""
    outliers_passed: float = 0.01
    """Share of validation outliers that may pass all thresholds together; 1: no such bound."""
    lighter: str = ""
    """How this differs from the full setting; empty: it is the full one. Goes into the manifest."""
