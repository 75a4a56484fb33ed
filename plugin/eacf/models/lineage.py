"""Where a model comes from, as its trainer wrote it into the manifest (`training.lineage`). Nobody checks it: it is shown."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Gate:
    """What the gate found when this model was held against its parent. None: not told."""

    macro_f1: float | None
    parent_macro_f1: float | None
    p: float | None
    judged: int | None
    """Samples that both were asked about."""


@dataclass(frozen=True, slots=True)
class Window:
    """What it learnt from: times of the first and the last sample, and how many."""

    first: str | None
    last: str | None
    samples: int | None


@dataclass(frozen=True, slots=True)
class Lineage:
    """Of one model."""

    parent: str | None
    """Id of the model whose clone it was."""
    window: Window | None
    gate: Gate | None


def lineage(found: object) -> Lineage | None:
    """Read `training.lineage` of a manifest, or what a state holds: what is not as it should be is None."""
    if not isinstance(found, Mapping):
        return None
    window, gate = found.get("window"), found.get("gate")
    return Lineage(
        _text(found.get("parent")),
        Window(_text(window.get("first")), _text(window.get("last")), _count(window.get("samples")))
        if isinstance(window, Mapping)
        else None,
        Gate(
            _number(gate.get("macro_f1")),
            _number(gate.get("parent_macro_f1")),
            _number(gate.get("p")),
            _count(gate.get("judged")),
        )
        if isinstance(gate, Mapping)
        else None,
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= 40 and value.isprintable() else None


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 53 else None


def _number(value: Any) -> float | None:
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if plain and abs(value) < 1 << 53 and math.isfinite(value) else None
