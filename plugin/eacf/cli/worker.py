"""``eacf worker``, ``eacf config``, ``eacf status``: the worker, its settings, and what it is doing."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from eacf.errors import SettingError

if TYPE_CHECKING:
    from eacf.settings import Resolved

WORKER = """\
Serve the bus of a sensor: answer each flow with a verdict, until SIGTERM, which drains what is queued.
SIGHUP reads the bundle again; a bad one never replaces a good one. The defaults fit a Zeek on this machine.

A setting is taken from its flag, else from the environment (EACF_<NAME>), else from the file of --config."""

WORKER_EPILOG = """\
examples:
  eacf worker                                   the bundle that eacf ships, Zeek's loopback ports
  eacf worker --bundle office.eacf --metrics-port 9114
  eacf worker --config /etc/eacf.toml
  EACF_LOG_LEVEL=debug eacf worker"""

CONFIG = """\
Show every setting of the worker, its value, and where that came from: default, file, environment or flag.
Takes the same flags as `eacf worker`, so that a command can be tried before it is run."""

STATUS = """\
Ask the workers on a bus what they are doing: bundle, flows in, verdicts out, drops by reason, latency, load.
The bus is found as `eacf worker` finds it (flags, EACF_ environment, --config)."""

ANSWER_S = 2.0
"""How long `eacf status` listens for answers unless told otherwise."""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The commands and their options."""
    raw = argparse.RawDescriptionHelpFormatter
    worker = commands.add_parser(
        "worker", help="serve a bus that runs", description=WORKER, epilog=WORKER_EPILOG, formatter_class=raw
    )
    _settings(worker)
    worker.set_defaults(run=run_worker)

    config = commands.add_parser(
        "config", help="show every setting and its origin", description=CONFIG, formatter_class=raw
    )
    _settings(config)
    config.add_argument("--json", action="store_true", help="as one JSON object")
    config.set_defaults(run=run_config)

    status = commands.add_parser("status", help="ask workers how they are", description=STATUS, formatter_class=raw)
    _settings(status, "subscribe_endpoint", "publish_endpoint")
    status.add_argument("--json", action="store_true", help="one JSON object a worker, a line each")
    status.add_argument("--timeout", type=float, default=ANSWER_S, metavar="S", help="listen for so many seconds (2)")
    status.set_defaults(run=run_status)


def _settings(parser: argparse.ArgumentParser, *only: str) -> None:
    """A flag for each setting, or for these; none has a default here, so that it is known which were given."""
    from eacf.settings import SETTINGS

    parser.add_argument("--config", type=Path, metavar="FILE", help="a TOML file of settings")
    for key in only or SETTINGS:
        setting = SETTINGS[key]
        allowed = f" [{setting.allowed}]" if str(setting.allowed) else ""
        default = "" if setting.default is None else f" (default: {setting.default})"
        metavar = {int: "N", float: "X", Path: "FILE", str: "TEXT"}[setting.kind]
        help_text = f"{setting.allowed.what}{allowed}{default}".replace("%", "%%")
        parser.add_argument("--" + key.replace("_", "-"), metavar=metavar, help=help_text)


def _resolve(options: argparse.Namespace) -> Resolved:
    from eacf.settings import SETTINGS, resolve

    flags = {key: getattr(options, key) for key in SETTINGS if hasattr(options, key)}
    resolved = resolve(options.config, os.environ, flags)
    for stray in resolved.strays:
        print(f"eacf: environment {stray} names no setting; ignored", file=sys.stderr)
    return resolved


def run_worker(options: argparse.Namespace) -> int:
    """Serve until SIGTERM."""
    resolved = _resolve(options)
    bundle = resolved.settings.bundle
    if bundle is not None and not bundle.exists():
        raise SettingError(f"{resolved.origins['bundle']}: {bundle}: no such file; name a bundle (.eacf)")
    from eacf.worker import run

    return run(resolved.settings)


def run_config(options: argparse.Namespace) -> int:
    """Print the settings as a worker would take them."""
    rows = list(_resolve(options).rows())
    if options.json:
        print(json.dumps({key: {"value": value, "origin": origin} for key, value, origin in rows}, default=str))
        return 0
    table = [("setting", "value", "from")]
    table += [(key, "-" if value is None else str(value), origin) for key, value, origin in rows]
    widths = [max(len(row[column]) for row in table) for column in (0, 1)]
    for key, value, origin in table:
        print(f"{key:<{widths[0]}}  {value:<{widths[1]}}  {origin}")
    return 0


def run_status(options: argparse.Namespace) -> int:
    """Ask, and print each answer; 1 where nobody answered."""
    if not options.timeout > 0:
        raise SettingError(f"--timeout {options.timeout:g}: must be a number of seconds above 0")
    settings = _resolve(options).settings
    from eacf.bus import Endpoints
    from eacf.status import ask, render

    endpoints = Endpoints(settings.subscribe_endpoint, settings.publish_endpoint)
    reports = ask(endpoints, options.timeout)
    for number, report in enumerate(reports):
        if options.json:
            print(json.dumps(report))
        else:
            print(("\n" if number else "") + render(report))
    if not reports:
        where = f"{endpoints.subscribe} and {endpoints.publish}"
        print(f"eacf: no worker answered within {options.timeout:g} s on {where}", file=sys.stderr)
        return 1
    return 0
