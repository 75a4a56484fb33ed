"""`make bench-model`: what the default network is worth beside the paper's and beside trees, on folds that keep captures whole.

Every figure is printed beside its bound; one that falls short is printed as short, nothing here fails a build. Trainings are kept by a
hash of all that decides them, so that a second run only does what is new. Captures: a folder with manifest.csv (docs/dataset.md).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
BOUNDS: dict[str, tuple[str, float]] = {
    "apps.default_over_paper_cnn": (">=", 35),
    "apps.default_over_best_baseline": (">=", 25),
    "apps.default_over_trees": (">=", -1),
    "apps.coverage_at_95": (">=", 0.72),
    "apps.environment_f1": (">=", 62),
    "size_kb": ("<=", 300),
    "time_over_paper_cnn": ("<=", 0.125),
    "int8_loss": ("<=", 0.5),
    "openset.refused_at_5": (">=", 0.5),
    "openset.auroc": (">=", 0.90),
    "openset.worst_known_refused": ("<=", 0.10),
    "openset.least_known_refused": (">=", 0.02),
    "calibration_error": ("<", 0.05),
    "training.seconds": ("<", 300),
    "training.peak_mb": ("<", 2000),
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench-model", description=__doc__)
    parser.add_argument("--out", type=Path, default=REPOSITORY / "bench-model.json", help="default: %(default)s")
    parser.add_argument(
        "--work", type=Path, default=REPOSITORY / "build" / "bench-model", help="datasets and trainings"
    )
    parser.add_argument(
        "--captures",
        type=Path,
        default=Path(os.environ.get("EACF_SHARED", REPOSITORY.parent / "shared")) / "pcaps" / "apps",
        help="the folder of real captures (default: %(default)s)",
    )
    parser.add_argument("--seeds", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: one a core)")
    parser.add_argument("--only", choices=PARTS, help="measure one part; the others' figures stay in the file")
    options = parser.parse_args()
    from eacf_trainer.processes import single_threaded

    single_threaded()
    options.work.mkdir(parents=True, exist_ok=True)
    figures: dict[str, object] = json.loads(options.out.read_text()) if options.only and options.out.exists() else {}
    for part in PARTS:
        if options.only in (None, part):
            print(f"measuring {part} ...", file=sys.stderr, flush=True)
            figures |= measured(part, options)
            figures["machine"] = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
            options.out.write_text(json.dumps(figures, indent=1) + "\n")
    report(figures)
    return 0


def measured(part: str, options: argparse.Namespace) -> dict[str, object]:
    """The figures of one part."""
    import captures
    import cost

    if part == "apps":
        return captures.apps(options.captures, options.work, options.seeds, options.jobs)
    if part == "testbed":
        return captures.testbed(options.work, options.seeds, options.jobs)
    return cost.measured(options.work, options.jobs)


PARTS = ("apps", "testbed", "cost")


def report(figures: dict[str, object]) -> None:
    """A line for each figure."""
    for name, value in figures.items():
        if not isinstance(value, int | float):
            continue
        kind, bound = BOUNDS.get(name, ("", 0.0))
        holds = {">=": value >= bound, "<=": value <= bound, "<": value < bound, "": True}[kind]
        verdict = "" if not kind else "ok" if holds else "SHORT"
        print(f"{name:36} {value:10.4g} {f'{kind} {bound:g}':10} {verdict}")
    for name, table in figures.items():
        if name.endswith(".table") and isinstance(table, dict):
            print(f"\n{name}: macro-F1 and accuracy, mean and standard deviation over seeds")
            for row, told in table.items():
                print(
                    f"  {row:36} "
                    + "   ".join(f"{told[key][0]:6.2f} ± {told[key][1]:4.2f}" for key in ("macro_f1", "accuracy"))
                )


if __name__ == "__main__":
    sys.exit(main())
