"""``eacf worker`` and ``eacf config``: the worker and its settings."""

from __future__ import annotations

import argparse
import json

from eacf.cli.flags import bundle_exists, resolved_settings, settings_flags

WORKER = """\
Serve the bus of a sensor: answer each flow with a verdict, until SIGTERM, which drains what is queued.
SIGHUP reads the bundle, the store of models, the shadow and the trusted keys again; a bad bundle never replaces a
good one. The defaults fit a Zeek on this machine.

A setting is taken from its flag, else from the environment (EACF_<NAME>), else from the file of --config."""

WORKER_EPILOG = """\
examples:
  eacf worker                                   the bundle `public`, Zeek's loopback ports
  eacf worker --bundle office.eacf --metrics-port 9114
  eacf worker --model-store /var/lib/eacf/models --trusted-keys /etc/eacf/ops.pub    takes pushed models
  eacf worker --config /etc/eacf.toml
  EACF_LOG_LEVEL=debug eacf worker"""

CONFIG = """\
Show every setting of the worker, its value, and where that came from: default, file, environment or flag.
Takes the same flags as `eacf worker`, so that a command can be tried before it is run."""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The commands and their options."""
    raw = argparse.RawDescriptionHelpFormatter
    worker = commands.add_parser(
        "worker", help="serve a bus that runs", description=WORKER, epilog=WORKER_EPILOG, formatter_class=raw
    )
    settings_flags(worker)
    worker.set_defaults(run=run_worker)

    config = commands.add_parser(
        "config", help="show every setting and its origin", description=CONFIG, formatter_class=raw
    )
    settings_flags(config)
    config.add_argument("--json", action="store_true", help="as one JSON object")
    config.set_defaults(run=run_config)


def run_worker(options: argparse.Namespace) -> int:
    """Serve until SIGTERM."""
    resolved = resolved_settings(options)
    bundle_exists(resolved)
    from eacf.worker import run

    return run(resolved.settings)


def run_config(options: argparse.Namespace) -> int:
    """Print the settings as a worker would take them."""
    rows = list(resolved_settings(options).rows())
    if options.json:
        print(json.dumps({key: {"value": value, "origin": origin} for key, value, origin in rows}, default=str))
        return 0
    table = [("setting", "value", "from")]
    table += [(key, "-" if value is None else str(value), origin) for key, value, origin in rows]
    widths = [max(len(row[column]) for row in table) for column in (0, 1)]
    for key, value, origin in table:
        print(f"{key:<{widths[0]}}  {value:<{widths[1]}}  {origin}")
    return 0
