"""``eacf-train bundles``: the bundles that eacf ships, made again."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from eacf.errors import SettingError
from eacf_trainer.cli.flags import jobs, progress

ROOT = Path(__file__).resolve().parents[3]
"""Of the checkout, if this runs from one."""

DESCRIPTION = """\
Make the bundles that eacf ships: `testbed` from captures of made-up applications, which are generated, and `public`
from a folder of real captures with a manifest.csv, which are read and not copied. From a checkout they go where eacf
keeps them, with the small part of their run folders; the whole runs lie in build/runs."""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command and its options."""
    parser = commands.add_parser(
        "bundles",
        help="make the shipped bundles again",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", choices=("testbed", "public"), help="which one")
    parser.add_argument("--captures", type=Path, metavar="DIR", help="of `public`: the folder of captures")
    parser.add_argument("--out", type=Path, metavar="DIR", help="everything goes here (default: where eacf keeps it)")
    parser.add_argument("--jobs", type=int, metavar="N", help="processes (default: one a core)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Make one, and say which."""
    if options.out is None and not (ROOT / "plugin" / "eacf" / "bundles").is_dir():
        raise SettingError("eacf is installed, not run from its repository: say with --out where bundles go")
    if options.name == "public" and options.captures is None:
        raise SettingError("bundles public: needs --captures, a folder of captures with manifest.csv (docs/dataset.md)")
    from eacf_trainer.processes import hushed, single_threaded

    single_threaded()
    with hushed():
        return _run(options)


def _run(options: argparse.Namespace) -> int:
    from eacf_trainer import bundles

    begun = time.monotonic()

    def say(text: str) -> None:
        print(f"[{time.monotonic() - begun:6.1f} s] {text}", file=sys.stderr, flush=True)

    homes = bundles.Homes.under(options.out) if options.out else bundles.Homes.in_repository(ROOT)
    with progress("models") as tell:
        work = bundles.Work(homes, jobs(options), tell, say)
        written = bundles.testbed(work) if options.name == "testbed" else bundles.public(work, options.captures)
    print(f"{written.source}: {written.id}")
    return 0
