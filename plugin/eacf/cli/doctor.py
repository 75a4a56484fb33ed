"""``eacf doctor``: what is wrong where no label appears, and the remedy."""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING

from eacf.cli.flags import BUS, bundle_exists, bus_of, resolved_settings, settings_flags, timeout_fits, timeout_flag

if TYPE_CHECKING:
    from eacf.doctor import Finding

DESCRIPTION = """\
Look for what stands between a connection and its label: Zeek and its package, the bus, the workers and Zeek
processes on it, the bundle, clocks, accounts. One line a check; under what is not ok stands the remedy.
Nothing is changed. Run it on the sensor, as the user and with the settings of the worker."""

EPILOG = """\
exit codes: 0 no problem (warnings may be), 1 a problem, 2 a mistake in the command or a setting.
docs/troubleshooting.md says more of each finding."""

STYLES = {"ok": "green", "warning": "yellow", "problem": "bold red"}
WIDTHS = (9, 14)
"""Of state and check."""
LINE = 110
"""Columns that a remedy is wrapped at."""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command and its options."""
    parser = commands.add_parser(
        "doctor",
        help="find out why no label appears",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    settings_flags(parser, "bundle", *BUS)
    parser.add_argument("--json", action="store_true", help="one JSON object a finding, a line each")
    timeout_flag(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Examine, and print each finding as it comes; 1 where there is a problem."""
    timeout_fits(options)
    resolved = resolved_settings(options)
    bundle_exists(resolved)
    import eacf.bundle
    from eacf.doctor import examine

    show = _as_json if options.json else _on_terminal() if sys.stdout.isatty() else _as_text
    bundle = eacf.bundle.find(resolved.settings.bundle)
    states = []
    for finding in examine(bus_of(resolved.settings), bundle, options.timeout):
        show(finding)
        states.append(finding.state)
    if not options.json:
        print(f"\n{_several(states.count('problem'), 'problem')}, {_several(states.count('warning'), 'warning')}")
    return 1 if "problem" in states else 0


def _as_json(finding: Finding) -> None:
    print(json.dumps(asdict(finding)), flush=True)


def _as_text(finding: Finding) -> None:
    print("\n".join(["".join(_head(finding)), *_remedy(finding)]), flush=True)


def _on_terminal() -> Callable[[Finding], None]:
    """With colour, unless NO_COLOR says otherwise, which rich knows."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)

    def show(finding: Finding) -> None:
        state, rest = _head(finding)
        console.print(Text.assemble((state, STYLES[finding.state]), rest))
        for line in _remedy(finding):
            console.print(Text(line))

    return show


def _head(finding: Finding) -> tuple[str, str]:
    return f"{finding.state:<{WIDTHS[0]}}", f"{finding.check:<{WIDTHS[1]}}{finding.seen}"


def _remedy(finding: Finding) -> list[str]:
    indent = " " * sum(WIDTHS)
    wrapper = textwrap.TextWrapper(
        LINE, initial_indent=indent, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    return wrapper.wrap(finding.remedy)


def _several(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}" if number else f"no {what}"
