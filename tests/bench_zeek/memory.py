"""Memory of Zeek with the package and without: after very many connections, and while an attacker holds as many open as it can."""

from __future__ import annotations

import re
from pathlib import Path
from statistics import median

import bundles
import crowd
import sensor
import service
from figures import Figures
from machine import HERE, Machine, VoidError, say

MOST_PAIRS = 3
"""Memory hardly differs from run to run."""
SCRIPT = HERE / "memory.zeek"
RESIDENT = re.compile(r"VmRSS:\s+(\d+) kB")

Memory = tuple[float, float]
"""Megabytes: resident when the last packet was read, and most that was at any time."""


def measure(machine: Machine, figures: Figures) -> None:
    """Figures ``memory_*``: names without a model are of records only."""
    with machine.folder() as folder:
        for name, make in (("", crowd.short), ("half_open_", crowd.half_open)):
            made = folder / "crowd.pcap"
            say("making a capture of very many connections ...")
            make(made)
            for model, bundle in (("", bundles.records()), ("payload_", bundles.payload(machine.work))):
                beside(machine, figures, f"memory_{name}{model}", made, bundle)


def beside(machine: Machine, figures: Figures, name: str, what: Path, bundle: Path) -> None:
    """Figures ``<name>ratio`` and its like, medians of pairs in turn."""
    with figures.of(f"{name}ratio"):
        pairs = [(bare(machine, what), loaded(machine, what, bundle)) for _ in range(min(machine.pairs, MOST_PAIRS))]
        say(f"  (after, at most) in MB, bare and loaded: {pairs}")
        for place, kind in enumerate(("", "peak_")):
            figures.values |= {
                f"{name}{kind}ratio": median(each[place] / alone[place] for alone, each in pairs),
                f"{name}{kind}bare_mb": median(alone[place] for alone, _ in pairs),
                f"{name}{kind}mb": median(each[place] for _, each in pairs),
            }


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
