"""CPU of the whole Zeek process over a capture: with the package and without, in turn, and what a flow costs.

Each run with the package has a fresh worker that waits for its bus before Zeek starts, on private endpoints and other cores; its
own CPU is counted apart. Without start-up means: less what the same scripts take on an empty capture, a worker's hello included.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import bundles
import capture
import sensor
import service
from figures import Figures
from machine import HERE, Machine, VoidError, say

from eacf_trainer.testbed import packets


@dataclass(frozen=True)
class Variant:
    """What Zeek loads, and what serves it."""

    name: str
    scripts: tuple[Path, ...] = ()
    bundle: Path | None = None


@dataclass(frozen=True)
class Cost:
    """CPU seconds of one run."""

    zeek_s: float
    worker_s: float = 0.0


BARE = Variant("bare")
"""Zeek as it comes."""


def measure(machine: Machine, figures: Figures) -> None:
    """Figures ``cpu_*``."""
    shape = capture.Shape()
    full, empty = capture.kept(machine.work, shape), machine.work / "empty.pcap"
    packets.write(empty, [])
    floor = HERE / "floor.zeek"
    for variant in (
        Variant("floor", (floor,)),
        Variant("records", (machine.package,), bundles.records()),
        Variant("payload", (machine.package,), bundles.payload(machine.work)),
    ):
        with figures.of(f"cpu_ratio_{variant.name}"):
            costs = in_turn(machine, variant, full, shape.connections)
            starts = in_turn(machine, variant, empty, 0)
            figures.values |= told(variant, costs, starts, shape.connections)


def in_turn(machine: Machine, variant: Variant, what: Path, flows: int) -> list[tuple[Cost, Cost]]:
    """(bare, variant) so often as pairs are asked for."""
    pairs = [(once(machine, BARE, what, flows), once(machine, variant, what, flows)) for _ in range(machine.pairs)]
    ratios = sorted(each.zeek_s / bare.zeek_s for bare, each in pairs)
    say(f"  {what.name}, {variant.name}: ratios of pairs {' '.join(f'{ratio:.3f}' for ratio in ratios)}")
    return pairs


def once(machine: Machine, variant: Variant, what: Path, flows: int) -> Cost:
    """One run. VoidError unless each of `flows` was answered."""
    with machine.folder() as folder:
        if variant.bundle is None:
            ran = sensor.read(machine, what, variant.scripts, folder)
            if variant.scripts and f"attached to {flows}" not in (said := (folder / "out").read_text()):
                raise VoidError(f"floor.zeek must look at {flows} connections, it says {said!r}")
            return Cost(ran.cpu_s)
        with service.private() as endpoints, service.worker(machine, variant.bundle, endpoints) as worker:
            ran = sensor.read(machine, what, variant.scripts, folder, **endpoints)
        sensor.check_answers(folder, flows)
        return Cost(ran.cpu_s, worker.cpu_s)


def told(
    variant: Variant, costs: list[tuple[Cost, Cost]], starts: list[tuple[Cost, Cost]], flows: int
) -> dict[str, float]:
    """The figures of a variant: medians over pairs."""
    bare_start, start = median(bare.zeek_s for bare, _ in starts), median(each.zeek_s for _, each in starts)
    made = {
        f"cpu_ratio_{variant.name}": _ratio(costs),
        f"cpu_ratio_{variant.name}_without_start": _ratio(costs, bare_start, start),
        f"cpu_us_a_flow_{variant.name}": _microseconds((each.zeek_s - bare.zeek_s) / flows for bare, each in costs),
        f"cpu_us_a_flow_{variant.name}_without_start": _microseconds(
            (each.zeek_s - start - bare.zeek_s + bare_start) / flows for bare, each in costs
        ),
        f"cpu_s_bare_beside_{variant.name}": median(bare.zeek_s for bare, _ in costs),
        f"cpu_s_start_bare_beside_{variant.name}": bare_start,
        f"cpu_s_start_{variant.name}": start,
    }
    if variant.bundle is not None:
        made[f"cpu_us_a_flow_worker_{variant.name}"] = _microseconds(each.worker_s / flows for _, each in costs)
    return made


def _ratio(costs: list[tuple[Cost, Cost]], bare_start: float = 0.0, start: float = 0.0) -> float:
    return median((each.zeek_s - start) / (bare.zeek_s - bare_start) for bare, each in costs)


def _microseconds(seconds: Iterable[float]) -> float:
    return median(seconds) * 1e6
