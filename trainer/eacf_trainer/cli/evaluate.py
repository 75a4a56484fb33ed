"""``eacf-train evaluate``: what a bundle is worth on a dataset, by the verdicts that a sensor would have logged."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

DESCRIPTION = """\
Ask a bundle about every connection of a dataset that has a server name, and hold its verdicts against what the
label map says: the bundle's own, or the one given. The dataset must not be what the bundle was trained on, or the
figures flatter; a run judges itself on held-out captures (see `eacf-train fit`).

Prints JSON: figures of flows of the bundle's labels, and how often it kept silent on all others."""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command and its options."""
    parser = commands.add_parser(
        "evaluate",
        help="what a bundle is worth on a dataset",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("bundle", metavar="BUNDLE", help="a bundle (.eacf), or the name of a shipped one")
    parser.add_argument("dataset", type=Path, metavar="DATASET", help="a folder that `eacf-train dataset` wrote")
    parser.add_argument("--labels", metavar="NAME|FILE", help="a label map (default: the rules in the bundle)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Load, ask, print."""
    from eacf import bundle, inference
    from eacf.labels import LabelRules
    from eacf_trainer import evaluate
    from eacf_trainer.dataset import Dataset
    from eacf_trainer.processes import hushed

    with hushed():
        model = inference.load(bundle.find(options.bundle))
        rules = LabelRules.find(options.labels).label if options.labels else model.bundle.sni_label
        found = evaluate.on_dataset(model, Dataset.open(options.dataset), rules)
    print(json.dumps(found, indent=1))
    return 0
