"""``eacf status``: what the workers, Zeek processes, agents and relays on a bus are doing, side by side."""

from __future__ import annotations

import argparse
import json
import sys

from eacf.cli.flags import BUS, bus_of, resolved_settings, settings_flags, timeout_fits, timeout_flag

DESCRIPTION = """\
Ask the workers, the Zeek processes, the gateways' agents and the relays on a bus what they are doing: bundle,
flows, verdicts, drops by reason, latency, load; rules and acts; clients. Then both ends side by side: what Zeek
sent and what came in, what was answered and what Zeek heard, and whether each account closes. The bus is found
as `eacf worker` finds it (flags, EACF_ environment, --config)."""

EPILOG = """\
exit codes: 0 somebody answered, 1 nobody did or there is no bus, 2 a mistake in the command or a setting.
What looks wrong here, `eacf doctor` explains; `eacf top` shows it live."""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command and its options."""
    parser = commands.add_parser(
        "status",
        help="ask workers and Zeek how they are",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    settings_flags(parser, *BUS)
    parser.add_argument(
        "--json", action="store_true", help="one JSON object a report, a line each; all but workers' have a kind"
    )
    timeout_flag(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Ask, and print each answer; 1 where nobody answered."""
    timeout_fits(options)
    endpoints = bus_of(resolved_settings(options).settings)
    from eacf.reports import render, side_by_side
    from eacf.status import inquire

    answers = inquire(endpoints, options.timeout)
    reports = list(answers.reports.values())
    if options.json:
        for report in reports:
            print(json.dumps(report))
    elif reports:
        print("\n\n".join(filter(None, [*map(render, reports), side_by_side(reports)])))
    for party in answers.silent:
        print(f"eacf: {party} listens on the bus and did not answer", file=sys.stderr)
    if not reports:
        where = f"{endpoints.subscribe} and {endpoints.publish}"
        print(
            f"eacf: nobody answered within {options.timeout:g} s on {where}, no worker and no Zeek",
            file=sys.stderr,
        )
        return 1
    return 0
