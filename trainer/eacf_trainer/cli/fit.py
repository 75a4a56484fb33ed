"""``eacf-train fit``: a dataset and a recipe in, a run folder out."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from eacf.errors import SettingError
from eacf_trainer.cli.flags import crew_flags, jobs, labels_flag, progress

if TYPE_CHECKING:
    from eacf.labels import LabelRules
    from eacf_trainer.dataset import Dataset
    from eacf_trainer.recipe import Recipe

DESCRIPTION = """\
Fit a recipe to a dataset. The recipe is judged first: models are trained on folds of the dataset and asked about
flows of captures that they have not seen. Then it is trained on everything, quantised, calibrated by what those
folds said, and put into a bundle.

The run folder holds all of it: configuration, versions, splits, curves, predictions, figures, weights, the bundle
and report.html. Interrupted, the same command goes on; the same recipe, dataset, label map and seed on the same
machine give the same bundle."""

EPILOG = """\
examples:
  eacf-train fit office --out runs/office
  eacf-train fit office --recipe mine.toml --labels office.toml --seeds 3 --out runs/mine
  eacf-train fit office --recipe extra-trees --out runs/trees      judged, but nothing to export

exit codes: 0 fitted, 1 the dataset cannot be learnt from or the folder not be written, 2 a mistake in the command,
the recipe or the label map"""


MOST_SEED = 1_000_000_000


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command and its options."""
    parser = commands.add_parser(
        "fit",
        help="judge a recipe on a dataset, and train it",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("dataset", type=Path, metavar="DATASET", help="a folder that `eacf-train dataset` wrote")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="RUN", help="a new folder, or that of a run that goes on"
    )
    parser.add_argument("--recipe", default="default", metavar="NAME|FILE", help="see `eacf-train recipes` (default)")
    labels_flag(parser)
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the model and its splits (default: 1)")
    parser.add_argument(
        "--seeds", type=int, default=1, metavar="N", help="judge with so many seeds, from --seed on (default: 1)"
    )
    parser.add_argument(
        "--only-model", action="store_true", help="train the model and calibrate it, but judge nothing: fewer trainings"
    )
    crew_flags(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Fit, write the report, say what came out."""
    if options.seeds < 1:
        raise SettingError(f"--seeds {options.seeds}: must be 1 or more")
    if not 0 <= options.seed <= MOST_SEED:
        raise SettingError(f"--seed {options.seed}: must be from 0 to {MOST_SEED:,}")
    from eacf_trainer.processes import hushed, single_threaded

    single_threaded()
    from eacf.labels import LabelRules
    from eacf_trainer import recipe
    from eacf_trainer.dataset import Dataset

    given = Dataset.open(options.dataset), LabelRules.find(options.labels), recipe.load(options.recipe)
    count = jobs(options)
    options.out.mkdir(parents=True, exist_ok=True)
    with hushed(options.out / "processes.log"):
        return _run(options, *given, count)


def _run(options: argparse.Namespace, dataset: Dataset, rules: LabelRules, recipe: Recipe, count: int) -> int:
    from eacf_trainer import fit
    from eacf_trainer.crew import Crew

    asked = fit.Asked(
        dataset=dataset,
        rules=rules,
        recipe=recipe,
        out=options.out,
        seeds=tuple(range(options.seed, options.seed + options.seeds)),
        judged=not options.only_model,
    )
    crew = Crew(options.out / "cells", count, options.dask)
    with progress("models") as tell:
        written = fit.fit(asked, crew, tell, lambda text: print(f"eacf-train: {text}", file=sys.stderr, flush=True))
    if not options.only_model:
        from eacf_trainer import report

        print(report.write(options.out, None, asked.dataset))
    if written is not None:
        print(f"{written.source}: {written.id}")
    return 0
