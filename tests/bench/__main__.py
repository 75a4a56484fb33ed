"""`make bench`: every figure that eacf promises, measured on this machine, printed beside its bound and written to one file.

Machines differ and are noisy, so all figures but latency and memory are ratios or rates taken side by side in one run.
A figure that falls short is printed as short; nothing here fails a build.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path

import collector
import model
import start
import worker

REPOSITORY = Path(__file__).resolve().parents[2]

BOUNDS: dict[str, tuple[str, float]] = {
    "worker.flows_per_second": (">=", 20_000),
    "worker.records_flows_per_second": (">=", 40_000),
    "worker.overhead_over_bare_loop": ("<=", 3),
    "worker.p99_ms": ("<", 10),
    "worker.lost": ("==", 0),
    "collector.over_nfstream": (">", 1),
    "collector.peak_mb": ("<", 500),
    "model.paper_over_default_batch1": (">=", 8),
    "model.paper_over_default_batch32": (">=", 8),
    "import.eacf_ms": ("<", 150),
}
HOLDS: dict[str, Callable[[float, float], bool]] = {
    ">=": float.__ge__,
    "<=": float.__le__,
    ">": float.__gt__,
    "<": float.__lt__,
    "==": float.__eq__,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument(
        "--out", type=Path, default=REPOSITORY / "bench.json", help="where the figures go (default: %(default)s)"
    )
    parser.add_argument(
        "--work", type=Path, default=REPOSITORY / "build" / "bench", help="where captures are made and kept"
    )
    parser.add_argument("--only", choices=("worker", "collector", "model", "start"), help="measure one part")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)

    figures: dict[str, float] = {}
    for part in (worker, collector, model, start):
        if options.only in (None, part.__name__):
            print(f"measuring {part.__name__} ...", file=sys.stderr, flush=True)
            figures |= part.measure(options.work)
    machine = {"python": platform.python_version(), "machine": platform.machine(), "cores": os.cpu_count()}
    options.out.write_text(json.dumps({"machine": machine, "figures": figures}, indent=1, sort_keys=True) + "\n")
    for name, figure in figures.items():
        print(f"{name:42} {figure:12.2f}  {verdict(name, figure)}")
    return 0


def verdict(name: str, figure: float) -> str:
    """What the bound says of a figure; empty where none was set."""
    if name not in BOUNDS:
        return ""
    sign, bound = BOUNDS[name]
    return f"{'ok   ' if HOLDS[sign](float(figure), float(bound)) else 'SHORT'} (bound: {sign} {bound:g})"


if __name__ == "__main__":
    sys.exit(main())
