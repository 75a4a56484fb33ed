"""``eacf``: picks the command, and turns what goes wrong into one line and an exit code."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import eacf
from eacf.cli import (
    bundle,
    collect,
    doctor,
    enforce,
    keys,
    model,
    policy,
    record,
    relay,
    replay,
    samples,
    status,
    top,
    worker,
)
from eacf.console import guarded, tolerant_output

DESCRIPTION = """\
Name the application behind an encrypted connection.

A sensor (Zeek, or a capture read by `eacf replay`) sends the first bytes or record lengths of each TLS
connection over a ZeroMQ bus; a worker answers with a label, or says that it does not know."""

EPILOG = """\
examples:
  eacf replay office.pcap                    label the connections of a capture
  eacf replay *.pcap.gz --log-dir .          several captures; eacf.log in this folder, as Zeek writes logs
  tcpdump -w - port 443 | eacf replay -      from standard input, until it ends
  eacf worker --bundle office.eacf           serve the Zeek on this machine until SIGTERM
  eacf policy check policy.toml              what would be done about which label
  eacf enforce --policy policy.toml          act on what they are, on a Linux gateway
  eacf record --bus --out office.jsonl.gz    write what the sensors see to a file, for the trainer
  eacf collect --db samples.db               keep what they see in a bounded database, for the learning loop
  eacf status                                what the workers and Zeek processes on the bus are doing
  eacf top                                   the same, live
  eacf model rollback --store DIR            the model that served before serves again, at once
  eacf doctor                                what is wrong where no label appears, and the remedy

exit codes: 0 fine, 1 the work failed, 2 a mistake in the command, a setting or a file name"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code. argparse itself exits with 2 on a wrong option."""
    tolerant_output()
    options = parser().parse_args(arguments)
    return guarded("eacf", lambda: int(options.run(options)))


def parser() -> argparse.ArgumentParser:
    """All commands and their options; man pages and completions are made from it."""
    made = argparse.ArgumentParser(
        prog="eacf", description=DESCRIPTION, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--version", action="version", version=f"eacf {eacf.__version__}")
    commands = made.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in (
        replay,
        worker,
        relay,
        enforce,
        policy,
        record,
        collect,
        samples,
        status,
        top,
        doctor,
        bundle,
        model,
        keys,
    ):
        module.add(commands)
    return made
