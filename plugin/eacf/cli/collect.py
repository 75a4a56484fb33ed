"""``eacf collect``: a tap on a bus, to a database of samples."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from eacf.cli.flags import BUS, bus_of, resolved_settings, settings_flags
from eacf.errors import SettingError

if TYPE_CHECKING:
    from eacf.collect import Summary
    from eacf.flow import Needs
    from eacf.samples import Limits

DESCRIPTION = """\
Keep what the sensors of a bus see for learning, with labels by server names, until SIGTERM or Ctrl-C:
a bounded SQLite database from which `eacf-train watch` and `eacf-train dataset` learn. It is a tap, and
never a worker: its slowness or absence costs a sensor nothing.

By default a sample holds addresses, ports, server name and the lengths of the first 16 records, which is
what the shipped models need. Nothing is decrypted.

The bus is found as `eacf worker` finds it (flags, EACF_ environment, --config)."""

EPILOG = """\
examples:
  eacf collect --db samples.db
  eacf collect --db samples.db --labels services --rows-per-label 5000 --days 14
  eacf collect --db samples.db --needs payload --megabytes 4096      for a model on payload
  eacf samples list samples.db                                       what is there

exit codes: 0 ended in order, 1 the database is damaged or of another version, 2 a mistake in the command, a
setting or a file name"""

DAY_NS = 86_400 * 1_000_000_000


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command and its options."""
    parser = commands.add_parser(
        "collect",
        help="keep labelled samples for learning",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    flag = parser.add_argument
    flag("--db", type=Path, required=True, metavar="FILE", help="the database; made where there is none")
    flag("--labels", default="domains", metavar="NAME|FILE", help="label map: domains, services, or a file (domains)")
    flag(
        "--needs",
        choices=("records", "stream", "payload"),
        default="records",
        help="kept of a flow: the first 16 record lengths; chunk sizes and times, too; payload, too (records)",
    )
    flag("--rows-per-label", type=int, default=2000, metavar="N", help="samples of a label at most (2000)")
    flag("--background", type=int, default=2000, metavar="N", help="samples without a label at most (2000)")
    flag("--megabytes", type=float, default=512, metavar="N", help="size of the database at most (512)")
    flag("--days", type=float, default=30, metavar="N", help="age of a sample at most (30)")
    flag("--client-share", type=float, default=0.2, metavar="X", help="of a label that one client may hold (0.2)")
    flag("--share", type=float, default=1.0, metavar="X", help="of the flows, chosen by the sensor (1, all)")
    settings_flags(parser, *BUS)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Collect until the end; returns the exit code."""
    limits = _limits(options)
    endpoints = bus_of(resolved_settings(options).settings)
    from eacf.collect import collect
    from eacf.collect.loop import told
    from eacf.labels import LabelRules

    rules = LabelRules.find(options.labels)
    clear = "\r\x1b[K" if sys.stderr.isatty() else ""
    logging.basicConfig(level=logging.INFO, format=clear + "%(asctime)s %(levelname)s %(message)s")

    def show(summary: Summary) -> None:
        if clear:
            print(f"{clear}{told(summary)}", end="", file=sys.stderr, flush=True)

    try:
        summary = collect(
            endpoints,
            options.db,
            rules,
            limits=limits,
            needs=_needs(options.needs),
            share=options.share,
            progress=show,
        )
    finally:
        print(clear, end="", file=sys.stderr, flush=True)
    print(f"{told(summary)}; in {options.db}", file=sys.stderr)
    return 0


def _limits(options: argparse.Namespace) -> Limits:
    """The bounds; SettingError where one is none."""
    from eacf.samples import Limits

    for flag, value, least in (("rows-per-label", options.rows_per_label, 1), ("background", options.background, 0)):
        if value < least:
            raise SettingError(f"--{flag} {value}: must be a number of {least} or more")
    if not 1 <= options.megabytes <= 1 << 20:
        raise SettingError(f"--megabytes {options.megabytes:g}: must be a number from 1 to 1,048,576")
    if not 0 < options.days <= 36_500:
        raise SettingError(f"--days {options.days:g}: must be a number above 0, and 36,500 at most")
    for flag, share in (("share", options.share), ("client-share", options.client_share)):
        if not 0 < share <= 1:
            raise SettingError(f"--{flag} {share:g}: must be above 0, and 1 (all) at most")
    return Limits(
        rows_per_label=options.rows_per_label,
        background=options.background,
        bytes=int(options.megabytes * (1 << 20)),
        age_ns=int(options.days * DAY_NS),
        client_share=options.client_share,
    )


def _needs(name: str) -> Needs:
    from eacf.flow import Needs
    from eacf.record import RECORDS_ONLY, WITHOUT_PAYLOAD

    return {"records": RECORDS_ONLY, "stream": WITHOUT_PAYLOAD, "payload": Needs()}[name]
