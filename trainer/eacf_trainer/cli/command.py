"""``eacf-train``: picks the command, and turns what goes wrong into one line and an exit code."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import eacf
from eacf.console import guarded, tolerant_output
from eacf_trainer.cli import bundles, dataset, evaluate, experiments, export, fit, labels, push, recipes, report, watch

DESCRIPTION = """\
Train the models that eacf serves.

Captures, or what `eacf record` wrote on a sensor, become a dataset; a recipe is fitted to it, judged on captures
that it has not seen, and leaves a bundle that a worker can serve."""

EPILOG = """\
examples:
  eacf-train dataset captures --out office            connections of captures, as Parquet
  eacf-train labels suggest office                    what their server names could be called
  eacf-train fit office --out runs/office             train and judge; runs/office/report.html, .../default.eacf
  eacf-train evaluate runs/office/default.eacf lab    what that bundle is worth on another dataset
  eacf-train experiments office --light --out paper   the paper's experiments, on your data

exit codes: 0 fine, 1 the work failed, 2 a mistake in the command, a recipe, a label map or a file name"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code. argparse itself exits with 2 on a wrong option."""
    tolerant_output()
    options = parser().parse_args(arguments)
    return guarded(
        "eacf-train", lambda: int(options.run(options)), "interrupted; the same command goes on where it ended"
    )


def parser() -> argparse.ArgumentParser:
    """All commands and their options; man pages and completions are made from it."""
    made = argparse.ArgumentParser(
        prog="eacf-train", description=DESCRIPTION, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--version", action="version", version=f"eacf {eacf.__version__}")
    commands = made.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in (dataset, labels, fit, evaluate, report, export, push, recipes, experiments, bundles, watch):
        module.add(commands)
    return made
