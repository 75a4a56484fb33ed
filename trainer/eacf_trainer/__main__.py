"""``python -m eacf_trainer bundles``: from made-up captures to both bundles. ``... abstention``: how often a bundle keeps silent."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from eacf import bundle, inference
from eacf.collector import collect
from eacf.errors import EacfError, SettingError

ROOT = Path(__file__).resolve().parents[2]
"""Of the checkout, if this runs from one."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code: 0 fine, 1 the work failed, 2 a mistake in the command."""
    options = _parser().parse_args(arguments)
    try:
        if options.command == "bundles":
            _bundles(options)
        else:
            _abstention(options)
    except (EacfError, OSError) as error:
        print(f"eacf_trainer: {error}", file=sys.stderr)
        return 2 if isinstance(error, SettingError) else 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m eacf_trainer", description="Build and judge eacf's bundles.")
    commands = parser.add_subparsers(dest="command", required=True)
    build = commands.add_parser("bundles", help="generate captures, train, quantise, calibrate, measure, write")
    build.add_argument("--only", choices=("default", "paper"), help="build one of the two")
    build.add_argument("--light", action="store_true", help="train the paper's network less; its manifest says so")
    build.add_argument(
        "--out", type=Path, help="put both bundles and their run folders here (default: where eacf keeps them)"
    )
    build.add_argument("--work", type=Path, default=Path("build"), help="captures and samples (default: %(default)s)")
    silent = commands.add_parser("abstention", help="how often a bundle abstains on captures of what it does not know")
    silent.add_argument("captures", nargs="+", type=Path, metavar="CAPTURE", help="a capture, or a folder of them")
    silent.add_argument("--bundle", type=Path, default=bundle.default_path(), help="default: the shipped one")
    return parser


def _bundles(options: argparse.Namespace) -> None:
    if options.out is None and not (ROOT / "trainer" / "runs").is_dir():
        raise SettingError("eacf is installed, not run from its repository: say with --out where bundles go")
    from eacf_trainer import pipeline  # loads TensorFlow

    begun = time.monotonic()

    def say(text: str) -> None:
        print(f"[{time.monotonic() - begun:6.1f} s] {text}", file=sys.stderr, flush=True)

    names = (options.only,) if options.only else ("default", "paper")
    homes = pipeline.Homes.under(options.out) if options.out else pipeline.Homes.in_repository(ROOT)
    for written in pipeline.run(names, options.light, options.work, homes, say):
        print(f"{written.source}: {written.id}")


def _abstention(options: argparse.Namespace) -> None:
    from eacf_trainer import evaluate, samples

    model = inference.load(options.bundle)
    files = [file for given in options.captures for file in _files(given)]
    figures = {}
    for way in samples.ways(model.bundle.needs):
        taken = [each.sample for file in files for each in collect(file, samples.CUTS[way])]
        figures[way] = evaluate.unknown(model, taken)
    print(json.dumps({"bundle": model.bundle.id, "captures": len(files), **figures}, indent=1))


def _files(given: Path) -> list[Path]:
    return sorted(each for each in given.rglob("*.pcap*") if each.is_file()) if given.is_dir() else [given]


if __name__ == "__main__":
    sys.exit(main())
