"""Memory of Zeek with the package and without: after very many connections, and while an attacker holds as many open as it can."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

import bundles
import crowd
import sensor
import service
from figures import Figures
from machine import HERE, Machine, VoidError, say

MOST_TURNS = 2
"""Memory hardly differs from run to run."""
SCRIPT = HERE / "memory.zeek"
RESIDENT = re.compile(r"VmRSS:\s+(\d+) kB")

Memory = tuple[float, float]
"""Megabytes: resident when the last packet was read, and most that was at any time."""


def measure(machine: Machine, figures: Figures) -> None:
    """Figures ``memory_*``: names without a model are of records only."""
    models = {"": bundles.records(), "payload_": bundles.payload(machine.work)}
    for name, make in (("", crowd.short), ("half_open_", crowd.half_open)):
        with figures.of(f"memory_{name}ratio"), machine.folder() as folder:
            make(folder / "crowd.pcap")
            turns = [in_turn(machine, folder / "crowd.pcap", models) for _ in range(min(machine.pairs, MOST_TURNS))]
            say(f"  (after, at most) in MB: {turns}")
            for place, kind in enumerate(("", "peak_")):
                figures.values |= told(f"memory_{name}{{}}{kind}", turns, place)


def in_turn(machine: Machine, what: Path, models: Mapping[str, Path]) -> dict[str, Memory]:
    """Of Zeek as it comes, and with the package and each model."""
    return {"bare_": bare(machine, what)} | {name: loaded(machine, what, bundle) for name, bundle in models.items()}


def told(pattern: str, turns: Sequence[Mapping[str, Memory]], place: int) -> dict[str, float]:
    """Medians, under the pattern's name for each model."""
    made: dict[str, float] = {}
    for name in turns[0]:
        made[pattern.format(name) + "mb"] = median(turn[name][place] for turn in turns)
        if name != "bare_":
            made[pattern.format(name) + "ratio"] = median(turn[name][place] / turn["bare_"][place] for turn in turns)
    return made


def bare(machine: Machine, what: Path) -> Memory:
    """Of Zeek as it comes."""
    with machine.folder() as folder:
        ran = sensor.read(machine, what, [SCRIPT], folder)
        return resident_mb(folder), ran.peak_mb


def loaded(machine: Machine, what: Path, bundle: Path) -> Memory:
    """Of Zeek with the package, while a worker serves it."""
    with machine.folder() as folder, service.private() as endpoints:
        with service.worker(machine, bundle, endpoints):
            ran = sensor.read(machine, what, [machine.package, SCRIPT], folder, **endpoints)
        return resident_mb(folder), ran.peak_mb


def resident_mb(folder: Path) -> float:
    """What memory.zeek wrote."""
    found = RESIDENT.search((folder / "rss").read_text())
    if found is None:
        raise VoidError(f"{folder}/rss has no line VmRSS; this needs Linux with /proc")
    return int(found[1]) / 1000
