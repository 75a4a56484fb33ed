"""``eacf-train export``: the bundle of a run, once more or with other thresholds."""

from __future__ import annotations

import argparse
from pathlib import Path

DESCRIPTION = """\
Write the bundle of a run from its float weights: quantise them again, and choose thresholds again by what the run's
folds said of flows that they had not seen. Without options the same bytes as the run's own bundle come out."""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command and its options."""
    parser = commands.add_parser(
        "export",
        help="the bundle of a run, with other thresholds if wanted",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path, metavar="RUN", help="a folder that `eacf-train fit` wrote")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the bundle to write (.eacf)")
    parser.add_argument("--name", help="another name for it")
    parser.add_argument(
        "--precision", type=float, metavar="X", help="share of right answers that each label's threshold must reach"
    )
    parser.add_argument(
        "--known-refused", type=float, metavar="X", help="share of known flows that may be taken for unknown"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Write, and say what."""
    from eacf_trainer.processes import hushed, single_threaded

    single_threaded()
    with hushed():
        from eacf_trainer import again

        written = again.export(
            options.folder,
            options.out,
            name=options.name,
            precision=options.precision,
            known_refused=options.known_refused,
        )
    print(f"{written.source}: {written.id}")
    return 0
