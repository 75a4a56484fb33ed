"""`make bench-zeek`: every figure that the Zeek package promises, measured here, printed beside its bound and written to one file.

Ratios are medians of pairs taken in turn, with the package and without; CPU is that of whole processes. A figure that falls short is
printed as short, one that could not be measured as void with the reason; neither fails a build. Give it a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import cpu
import faults
import latency
import memory
import samples
from figures import Figures
from machine import REPOSITORY, Machine, find_zeek, say

PARTS = (cpu, latency, samples, faults, memory)
"""Each has `measure(machine, figures)`."""
NO_ZEEK = (
    "make bench-zeek: no `zeek` on the PATH, nothing was measured; install Zeek 8.0 or put its bin folder on the PATH"
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench-zeek", description=__doc__)
    parser.add_argument(
        "--out", type=Path, default=REPOSITORY / "bench-zeek.json", help="where the figures go (default: %(default)s)"
    )
    parser.add_argument(
        "--work", type=Path, default=REPOSITORY / "build" / "bench-zeek", help="where captures are made and kept"
    )
    parser.add_argument("--package", type=Path, default=REPOSITORY / "zeek", help="the Zeek package's folder")
    parser.add_argument("--pairs", type=int, default=7, help="runs of each variant (default: %(default)s)")
    parser.add_argument("--only", nargs="+", choices=[part.__name__ for part in PARTS], help="measure these parts")
    options = parser.parse_args()
    zeek = find_zeek()
    if zeek is None:
        print(NO_ZEEK, file=sys.stderr)
        return 2
    options.work.mkdir(parents=True, exist_ok=True)
    machine = Machine(zeek, options.package.resolve(), options.work.resolve(), options.pairs)
    facts, figures = machine.facts(), Figures()
    for part in PARTS:
        if options.only is None or part.__name__ in options.only:
            say(f"part {part.__name__}")
            part.measure(machine, figures)
    document = {"machine": facts, "figures": figures.values, "void": figures.void}
    options.out.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n")
    for line in figures.lines():
        print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
