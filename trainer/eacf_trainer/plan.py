"""The testbed's captures that the shipped bundle `testbed` is made of: what teaches, and what judges.

Training knows neither the seeds, nor the servers (sites), nor two of the three kinds of path that judge. A capture lies in a folder named
by its sites, which makes the sites its environment.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from eacf_trainer import testbed


@dataclass(frozen=True)
class CaptureSet:
    """Made-up captures of one purpose, one for each seed."""

    seeds: tuple[int, ...]
    connections: int
    """In each capture."""
    conditions: tuple[str, ...]
    """Kinds of path, taken in turn."""
    sites: tuple[str, ...]
    """Names of sets of deployments, taken in turn; no two purposes may share one, or the model is asked about sites that it saw."""
    background_share: float = 0.15
    """Part of the connections that are of no application."""


@dataclass(frozen=True)
class Plan:
    """By purpose."""

    training: CaptureSet = field(
        default_factory=lambda: CaptureSet(
            seeds=tuple(range(100, 124)),
            connections=200,
            conditions=("lan", "fibre", "dsl", "mobile"),
            sites=tuple(f"training-{number}" for number in range(12)),
        )
    )
    evaluation: CaptureSet = field(
        default_factory=lambda: CaptureSet(
            seeds=tuple(range(1016, 1032)),
            connections=250,
            conditions=("satellite", "lossy", "mixed"),
            sites=tuple(f"evaluation-{number}" for number in range(4, 8)),
        )
    )


def generate(wanted: CaptureSet, folder: Path, say: Callable[[str], None]) -> Path:
    """Make those captures that are not there yet, each beside first; `folder`, which then holds them."""
    for number, seed in enumerate(wanted.seeds):
        conditions = wanted.conditions[number % len(wanted.conditions)]
        sites = wanted.sites[number % len(wanted.sites)]
        name = f"{seed}-{conditions}-{wanted.connections}-{wanted.background_share:g}.pcap"
        capture = folder / sites / name
        if capture.exists():
            continue
        capture.parent.mkdir(parents=True, exist_ok=True)
        say(
            f"{folder.name}: capture {number + 1} of {len(wanted.seeds)} (seed {seed}, path {conditions}, sites {sites})"
        )
        beside = capture.with_name(f".{name}")
        testbed.generate(
            beside,
            seed=seed,
            connections=wanted.connections,
            conditions=conditions,
            sites=sites,
            background_share=wanted.background_share,
        )
        beside.replace(capture)
    return folder
