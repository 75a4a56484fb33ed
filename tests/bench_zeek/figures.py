"""The figures by name, those that are void with the reason, and the bounds of issue and README."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from machine import VoidError, say

BOUNDS: dict[str, tuple[str, float]] = {
    "cpu_ratio_records": ("<=", 1.10),
    "cpu_ratio_payload": ("<=", 1.25),
    "verdict_p99_ms": ("<", 10),
    "samples.identical_share": ("==", 1),
    "faults.accounts_open": ("==", 0),
    "memory_ratio": ("<=", 1.05),
    "memory_half_open_ratio": ("<=", 1.05),
}
HOLDS: dict[str, Callable[[float, float], bool]] = {"<=": float.__le__, "<": float.__lt__, "==": float.__eq__}


@dataclass
class Figures:
    """What was measured so far."""

    values: dict[str, float] = field(default_factory=dict)
    void: dict[str, str] = field(default_factory=dict)

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        """What is measured inside gives the figure `name`, or a reason why it is void."""
        say(f"measuring {name} ...")
        try:
            yield
        except (VoidError, OSError, subprocess.SubprocessError) as error:
            self.void[name] = str(error)

    def lines(self) -> Iterator[str]:
        """Each figure beside its bound; a bound without a figure says so."""
        for name, figure in self.values.items():
            yield f"{name:42} {figure:12.3f}  {verdict(name, figure)}".rstrip()
        for name, reason in self.void.items():
            yield f"{name:42} {'VOID':>12}  {reason}"
        for name, (sign, bound) in BOUNDS.items():
            if name not in self.values and name not in self.void:
                yield f"{name:42} {'not measured':>12}  (bound: {sign} {bound:g})"


def verdict(name: str, figure: float) -> str:
    """What the bound says of a figure; empty where none was set."""
    if name not in BOUNDS:
        return ""
    sign, bound = BOUNDS[name]
    return f"{'ok   ' if HOLDS[sign](float(figure), float(bound)) else 'SHORT'} (bound: {sign} {bound:g})"
