"""``eacf-train experiments``: the paper's section IV on a dataset, and what it did not show."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from eacf.errors import SettingError

if TYPE_CHECKING:
    from eacf_trainer.experiments.settings import Settings

DESCRIPTION = """\
Make the figures of the paper's section IV from one dataset, and beside each what the paper did not show: the split by
capture, several seeds with their spread, and controls that ask whether payload bytes say anything beyond their number.
What came out on which data, and how long it takes, is in docs/paper.md.

DATASET must hold payload of the stream cut. Results go to --out: index.html, report.md, a CSV file and a plot for each
figure. Each finished cell (one model trained once) is kept there too: the same command goes on where it was stopped."""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command and its options."""
    parser = commands.add_parser(
        "experiments",
        help="the paper's experiments, beside what it did not show",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("dataset", type=Path, metavar="DATASET", help="folder that `eacf-train dataset` wrote")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where results go, and finished cells")
    parser.add_argument(
        "--labels",
        default="domains",
        metavar="MAP",
        help="label map: a TOML file or a shipped one's name (%(default)s)",
    )
    parser.add_argument(
        "--light",
        action="store_true",
        help="fewer epochs, sizes and seeds, for two cores and an hour; every output says that it is lighter",
    )
    parser.add_argument("--only", metavar="LIST", help="some of fig3,fig4,fig5,controls,time")
    for name, (metavar, what) in NUMBERS.items():
        parser.add_argument("--" + name.replace("_", "-"), type=int, metavar=metavar, help=what)
    parser.add_argument("--sizes", metavar="LIST", help="input sizes in bytes, with commas between")
    parser.add_argument(
        "--jobs",
        type=int,
        default=len(os.sched_getaffinity(0)),
        metavar="N",
        help="processes of one thread each (%(default)s)",
    )
    parser.add_argument(
        "--no-run", action="store_true", help="compute nothing; write tables and plots of the cells that are finished"
    )
    parser.set_defaults(run=run_experiments)


NUMBERS = {
    "epochs": ("N", "of the 1D-CNN (100; light: 12)"),
    "seeds": ("N", "splits and initial weights (3)"),
    "grouped_seeds": ("N", "the same for the 1D-CNN on the grouped split, away from Fig. 4 (3; light: 1)"),
    "folds": ("N", "of the grouped split (5)"),
    "flows_per_label": ("N", "flows of one label at most, drawn at random (700)"),
    "min_flows": ("N", "labels with fewer flows are left out (40)"),
    "min_captures": ("N", "labels in fewer captures are left out (3)"),
}


def run_experiments(options: argparse.Namespace) -> int:
    """Load, compute what is missing, write."""
    settings = settings_of(options)
    only = figures_of(options.only)
    if options.jobs < 1:
        raise SettingError(f"--jobs {options.jobs}: must be 1 or more")
    from eacf.labels import LabelRules
    from eacf_trainer.dataset import Dataset
    from eacf_trainer.experiments import data, page, plan, results, run, store

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    say = _sayer()
    dataset = Dataset.open(options.dataset)
    rules = LabelRules.find(options.labels)
    flows = data.load(dataset, rules, settings)
    wanted = settings.sizes
    settings = settings.fitting(flows.longest)
    say(f"{len(flows.samples):,} flows of {len(flows.labels)} labels; setting: {settings.lighter() or 'full'}")
    options.out.mkdir(parents=True, exist_ok=True)
    kept = store.Store(options.out / "cells", flows.id)
    cells = plan.cells(settings, only)
    if not options.no_run:
        run.run(cells, flows, kept, options.jobs, say)
    measured = run.timed(flows, settings.main, kept, compute=not options.no_run, say=say) if "time" in only else None
    found = results.Results(cells, kept, flows)
    facts = [("dataset", f"{dataset.id}, {dataset.rows:,} rows"), ("label map", f"{rules.name}, id {rules.id}")]
    if missing := [size for size in wanted if size not in settings.sizes]:
        facts.append(("sizes left out", f"{missing}: no flow of the dataset has so many payload bytes"))
    page.write(options.out, found, settings, only, measured, page.head(found, settings, len(cells), facts))
    print(f"{options.out / 'index.html'}: {found.finished:,} of {len(cells):,} cells")
    return 0


def settings_of(options: argparse.Namespace) -> Settings:
    """The full or the light setting with what the command line changes."""
    from dataclasses import replace

    from eacf_trainer.experiments.settings import LIGHT, Settings

    changed: dict[str, Any] = {name: getattr(options, name) for name in NUMBERS if getattr(options, name) is not None}
    if options.sizes is not None:
        changed["sizes"] = tuple(dict.fromkeys(sorted(_numbers(options.sizes))))
    if "seeds" in changed and "grouped_seeds" not in changed and not options.light:
        changed["grouped_seeds"] = changed["seeds"]
    return replace(LIGHT if options.light else Settings(), **changed)


def figures_of(text: str | None) -> tuple[str, ...]:
    """The figures that --only names; all without it."""
    from eacf_trainer.experiments.settings import FIGURES

    names = FIGURES if text is None else tuple(dict.fromkeys(text.split(",")))
    if unknown := [name for name in names if name not in FIGURES]:
        raise SettingError(f"--only: {unknown[0]!r}; allowed: {', '.join(FIGURES)}, with commas between")
    return names


def _leave(number: int, _: FrameType | None) -> None:
    """End in order, the processes with us, and with the exit code that a shell expects after that signal."""
    sys.exit(128 + number)


def _numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise SettingError(f"--sizes {text}: must be whole numbers with commas between") from None


def _sayer() -> Callable[[str], None]:
    begun = time.monotonic()

    def say(text: str) -> None:
        print(f"[{time.monotonic() - begun:7.1f} s] {text}", file=sys.stderr, flush=True)

    return say
