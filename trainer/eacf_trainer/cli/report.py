"""``eacf-train report``: a run folder as one page."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from eacf.errors import SettingError

if TYPE_CHECKING:
    from eacf_trainer.dataset import Dataset

DESCRIPTION = """\
Write report.html of a run: one file that opens anywhere, without a network. It holds the dataset card, figures
under each split, the confusion matrix, what confidences are worth, what is refused, and the worst flows.

Server names and TLS versions are read from the run's dataset, where it was when the model was fitted or where
--dataset says. They end up in the report: mind who gets it."""

EPILOG = """\
examples:
  eacf-train report runs/office                                   writes runs/office/report.html
  eacf-train report runs/office --dataset office --out today.html

exit codes: 0 written, 1 the run folder is damaged or the report cannot be written, 2 a mistake in the command"""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command and its options."""
    parser = commands.add_parser(
        "report",
        help="a run as one page to look at",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path, metavar="RUN", help="a folder that `eacf-train fit` wrote")
    parser.add_argument("--dataset", type=Path, metavar="DIR", help="the run's dataset (default: where it was)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="default: report.html in the run folder")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Write the report, and say where it is."""
    from eacf_trainer import report

    if options.out is not None and options.out.is_dir():
        raise SettingError(f"--out {options.out}: is a folder; name a file, such as {options.out / report.NAME}")
    dataset = _dataset(options)
    print(report.write(options.folder, options.out, dataset))
    return 0


def _dataset(options: argparse.Namespace) -> Dataset | None:
    """The one that is named, else the run's own where it still is; None, and a word on standard error, where it is not."""
    from eacf_trainer import report
    from eacf_trainer.dataset import Dataset, DatasetError

    told = report.config(options.folder).get("dataset") or {}
    if options.dataset is not None:
        dataset = Dataset.open(options.dataset)
        if told.get("id") not in (None, dataset.id):
            raise SettingError(
                f"--dataset {options.dataset}: holds {dataset.id}, and {options.folder} was fitted on {told['id']}; "
                "name the dataset of this run"
            )
        return dataset
    folder = told.get("folder")
    why = "the run does not tell where it is"
    if folder is not None:
        try:
            dataset = Dataset.open(Path(folder))
        except (DatasetError, OSError) as error:
            why = str(error)
        else:
            if dataset.id == told.get("id"):
                return dataset
            why = f"{folder} holds another one by now"
    print(
        f"eacf-train: the dataset is not at hand ({why}); the report tells no server names; see --dataset",
        file=sys.stderr,
    )
    return None
