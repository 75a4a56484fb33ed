"""``eacf top``: what all who answer on a bus are doing, live."""

from __future__ import annotations

import argparse
import shutil
import sys

from eacf.cli.flags import BUS, bus_of, resolved_settings, settings_flags, timeout_fits, timeout_flag
from eacf.errors import SettingError

DESCRIPTION = """\
A live view of the workers, the Zeek processes, the gateways' agents and the relays on a bus: flows a second,
queues, latency, losses, live accuracy, rules and acts, the labels that are given just now, and what needs a
look. Asks over the bus as `eacf status` does; rates are of the last ten seconds. The bus is found as
`eacf worker` finds it (flags, EACF_ environment, --config); one that is not there yet is waited for.

q or Ctrl-C ends it."""

EPILOG = """\
exit codes: 0 ended, or with --once: somebody answered, 1 with --once: nobody did or there is no bus, 2 a mistake
in the command or a setting. What each figure means: docs/monitoring.md. For programs: `eacf status --json`, or
metrics."""

MIN_S, MAX_S = 0.2, 3600.0
INTERVAL_S = 1.0


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command and its options."""
    parser = commands.add_parser(
        "top",
        help="watch workers, Zeek and agents live",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    settings_flags(parser, *BUS)
    what = f"ask every so many seconds, {MIN_S:g} to {MAX_S:g} ({INTERVAL_S:g})"
    parser.add_argument("--interval", type=float, default=INTERVAL_S, metavar="S", help=what)
    what = "one picture as plain text, after two questions that far apart; as wide as the terminal, or COLUMNS, or 80"
    parser.add_argument("--once", action="store_true", help=what)
    timeout_flag(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Watch until the end; returns the exit code."""
    timeout_fits(options)
    if not MIN_S <= options.interval <= MAX_S:
        raise SettingError(f"--interval {options.interval:g}: must be a number of seconds, {MIN_S:g} to {MAX_S:g}")
    if not options.once and not sys.stdout.isatty():
        raise SettingError("top: standard output is no terminal; use --once, or `eacf status --json`")
    endpoints = bus_of(resolved_settings(options).settings)
    from eacf.top.loop import live, once

    if not options.once:
        return live(endpoints, options.interval)
    lines = once(endpoints, options.interval, options.timeout, shutil.get_terminal_size().columns)
    if not lines:
        where = f"{endpoints.subscribe} and {endpoints.publish}"
        print(f"eacf: nobody answered within {options.timeout:g} s on {where}", file=sys.stderr)
        return 1
    print("\n".join(lines))
    return 0
