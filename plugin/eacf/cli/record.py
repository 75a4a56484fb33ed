"""``eacf record``: a tap on a bus, to a file."""

from __future__ import annotations

import argparse
import logging
import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from eacf.cli.flags import BUS, bus_of, resolved_settings, settings_flags
from eacf.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Callable

    from eacf.flow import Needs
    from eacf.record import Summary

DESCRIPTION = """\
Write what the sensors of a bus see to a file that the trainer reads, with no model and no worker, until
SIGTERM or Ctrl-C. A tap costs a sensor little, and a tap that hangs costs it nothing.

The file holds a flow a line, as JSON: by default the first 3,000 bytes of payload of each TLS connection,
encrypted as they were, with addresses, ports and server name. --no-payload and --records-only keep less, and
the sensor then collects less unless a worker asks for more.

The bus is found as `eacf worker` finds it (flags, EACF_ environment, --config)."""

EPILOG = """\
examples:
  eacf record --bus --out office.jsonl.gz                       until Ctrl-C, compressed
  eacf record --bus --out office.jsonl.gz --append              go on with it
  eacf record --bus --out lengths.jsonl --records-only --flows 100000
  eacf record --bus --out day.jsonl.gz --share 0.05 --duration 86400

exit codes: 0 ended in order, 1 no bus came, or the file can no longer be written to, 2 a mistake in the
command, a setting or a file name"""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command and its options."""
    parser = commands.add_parser(
        "record",
        help="write what the sensors of a bus see to a file",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--bus", action="store_true", required=True, help="record from a bus; there is no other way yet"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="a new file (.gz: compressed)")
    parser.add_argument("--append", action="store_true", help="go on with FILE where it is there already")
    parser.add_argument(
        "--share",
        type=float,
        default=1.0,
        metavar="X",
        help="share of the flows, chosen by the sensor (default: 1, all)",
    )
    less = parser.add_mutually_exclusive_group()
    less.add_argument("--no-payload", action="store_true", help="keep times, chunk sizes and record lengths alone")
    less.add_argument("--records-only", action="store_true", help="keep the first 16 record lengths alone")
    parser.add_argument("--flows", type=int, metavar="N", help="end after N flows")
    parser.add_argument("--duration", type=float, metavar="S", help="end after S seconds, the wait for a bus included")
    settings_flags(parser, *BUS)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Record until the end; returns the exit code."""
    _check(options)
    endpoints = bus_of(resolved_settings(options).settings)
    from eacf.record import record

    clear = "\r\x1b[K" if sys.stderr.isatty() else ""
    logging.basicConfig(level=logging.INFO, format=clear + "%(asctime)s %(levelname)s %(message)s")
    with _progress(clear) as progress:
        summary = record(
            endpoints,
            options.out,
            append=options.append,
            needs=_needs(options),
            share=options.share,
            flows=options.flows,
            duration_s=options.duration,
            progress=progress,
        )
    print(f"{told(summary)}; written to {options.out} ({summary.bytes:,} bytes)", file=sys.stderr)
    return 0


def told(summary: Summary) -> str:
    """What was recorded, in words."""
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(summary.malformed.items()))
    malformed = _number(summary.malformed.total(), "malformed message") + (f" ({kinds})" if kinds else "")
    unsent = f", {_number(summary.unsent, 'message')} unsent" if summary.unsent else ""
    flows, sensors = _number(summary.flows, "flow"), _number(summary.sensors, "sensor")
    return f"{flows} of {sensors} in {summary.seconds:,.1f} s, {malformed}{unsent}"


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _check(options: argparse.Namespace) -> None:
    if not 0 < options.share <= 1:
        raise SettingError(f"--share {options.share:g}: must be above 0, and 1 (all flows) at most")
    if options.flows is not None and options.flows < 1:
        raise SettingError(f"--flows {options.flows}: must be a number of 1 or more")
    if options.duration is not None and not (0 < options.duration < math.inf):
        raise SettingError(f"--duration {options.duration:g}: must be a number of seconds above 0")


def _needs(options: argparse.Namespace) -> Needs:
    from eacf.flow import Needs
    from eacf.record import RECORDS_ONLY, WITHOUT_PAYLOAD

    return RECORDS_ONLY if options.records_only else WITHOUT_PAYLOAD if options.no_payload else Needs()


@contextmanager
def _progress(clear: str) -> Iterator[Callable[[Summary], None]]:
    """A line on standard error that is written anew each second, where that is a terminal (`clear` is not empty)."""

    def show(summary: Summary) -> None:
        if clear:
            print(f"{clear}{told(summary)}", end="", file=sys.stderr, flush=True)

    try:
        yield show
    finally:
        print(clear, end="", file=sys.stderr, flush=True)
