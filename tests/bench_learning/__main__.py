"""`make bench-learning`: what the learning loop promises, measured on this machine, printed beside its bound and written to one file.

Nothing here fails a build: a figure that falls short is printed as short. Simulated weeks and what was learnt from them are kept in the
work folder, so that a second run takes less.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
BOUNDS: dict[str, tuple[str, float]] = {
    "drift.behind_oracle": ("<=", 2),
    "drift.poisoned_loss": ("<=", 2),
    "update_seconds": ("<", 60),
    "swaps.lost": ("==", 0),
    "swaps.p99_ms": ("<", 50),
    "swaps.memory_growth_mb": ("<", 10),
    "kills.inconsistent": ("==", 0),
    "live.lost": ("==", 0),
}
PARTS = ("drift", "swaps", "update", "kills", "live")


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench-learning", description=__doc__)
    parser.add_argument("--out", type=Path, default=REPOSITORY / "bench-learning.json", help="default: %(default)s")
    parser.add_argument(
        "--work", type=Path, default=REPOSITORY / "build" / "bench-learning", help="default: %(default)s"
    )
    parser.add_argument("--seeds", type=int, default=5, help="of the drift run (default: %(default)s)")
    parser.add_argument("--swaps", type=int, default=1000, help="default: %(default)s")
    parser.add_argument("--kills", type=int, default=200, help="default: %(default)s")
    parser.add_argument("--only", choices=PARTS, help="measure one part; the others' figures stay in the file")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    figures: dict[str, Any] = json.loads(options.out.read_text()) if options.only and options.out.exists() else {}
    for part in PARTS:
        if options.only in (None, part):
            print(f"measuring {part} ...", file=sys.stderr, flush=True)
            figures |= measured(part, options)
            figures["machine"] = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
            options.out.write_text(json.dumps(figures, indent=1) + "\n")
    report(figures)
    return 0


def measured(part: str, options: argparse.Namespace) -> dict[str, Any]:
    """The figures of one part. What a part needs is imported by it alone: only one of them loads TensorFlow."""
    if part == "drift":
        import drift

        return drift.measure(options.work, options.seeds)
    if part == "swaps":
        import swaps

        return swaps.measure(options.work, options.swaps)
    if part == "update":
        import update

        return update.measure(options.work)
    if part == "kills":
        import kills

        return kills.measure(options.work, options.kills)
    import live

    return live.measure(options.work)


def report(figures: dict[str, Any]) -> None:
    """A line for each figure."""
    for name, value in figures.items():
        if not isinstance(value, int | float):
            continue
        kind, bound = BOUNDS.get(name, ("", 0.0))
        holds = {"<=": value <= bound, "<": value < bound, "==": value == bound, "": True}[kind]
        verdict = "" if not kind else "ok" if holds else "SHORT"
        print(f"{name:36} {value:12.5g} {f'{kind} {bound:g}':10} {verdict}")
    for name, weeks in figures.get("drift.weeks", {}).items():
        print(f"{name:24} macro-F1 by week  " + "  ".join(f"{mean:5.1f}" for mean in weeks))


if __name__ == "__main__":
    sys.exit(main())
