"""``eacf samples``: look into a database of samples, take them out, remove them."""

from __future__ import annotations

import argparse
import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from eacf.errors import SettingError

DAY_NS = 86_400 * 1_000_000_000
TOPIC = b"eacf.tap.000000000000"
REPLY_TO = "eacf.verdict.samples."
"""An export's messages came from no bus, and nobody waits for an answer."""

EXPORT = """\
Write samples as a recording, one flow a line, as `eacf record` does: `eacf-train dataset` reads it, on any
machine. (It reads the database itself, too.) The file is its owner's alone."""

PURGE = """\
Remove samples: those that fit all of the flags given. Their bytes are overwritten with zeros in the database
and in its log, while a collector runs, too. What the file system or a backup kept of earlier states of the
file is out of eacf's reach."""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command and its actions."""
    samples = commands.add_parser(
        "samples",
        help="list, export or remove samples kept for learning",
        description="The database that `eacf collect` writes.",
    )
    actions = samples.add_subparsers(title="actions", metavar="ACTION", required=True)
    shown = actions.add_parser("list", help="labels, how many samples of how many clients, from when")
    shown.add_argument("db", type=Path, metavar="DB")
    shown.add_argument("--json", action="store_true", help="the same as JSON")
    shown.set_defaults(run=run_list)
    raw = argparse.RawDescriptionHelpFormatter
    export = actions.add_parser("export", help="write samples as a recording", description=EXPORT, formatter_class=raw)
    export.add_argument("db", type=Path, metavar="DB")
    export.add_argument("--out", type=Path, required=True, metavar="FILE", help="a new file (.jsonl, .jsonl.gz)")
    export.add_argument("--label", metavar="NAME", help="only samples of this label")
    export.add_argument("--older-than", type=float, metavar="DAYS", help="only samples that arrived before so long")
    export.set_defaults(run=run_export)
    purge = actions.add_parser("purge", help="remove samples", description=PURGE, formatter_class=raw)
    purge.add_argument("db", type=Path, metavar="DB")
    purge.add_argument("--client", metavar="ADDRESS", help="of this client, or of this network (192.0.2.0/24)")
    which = purge.add_mutually_exclusive_group()
    which.add_argument("--label", metavar="NAME", help="of this label")
    which.add_argument("--background", action="store_true", help="without a label")
    purge.add_argument("--older-than", type=float, metavar="DAYS", help="that arrived before so long")
    purge.add_argument("--shrink", action="store_true", help="then give the free room back to the file system")
    purge.set_defaults(run=run_purge)


def run_list(options: argparse.Namespace) -> int:
    """Print a table or JSON."""
    from eacf.logs import tsv_string
    from eacf.samples import Store

    with Store.open(options.db, readonly=True) as store:
        labels = store.labels()
    if options.json:
        print(json.dumps([{name: getattr(each, name) for name in each.__slots__} for each in labels], indent=1))
        return 0
    rows = [("label", "samples", "clients", "oldest", "newest")]
    rows += [
        (
            "(background)" if each.label is None else tsv_string(each.label),
            f"{each.rows:,}",
            f"{each.clients:,}",
            _day(each.first_ns),
            _day(each.last_ns),
        )
        for each in labels
    ]
    width = max(len(row[0]) for row in rows)
    for name, number, clients, first, last in rows:
        print(f"{name:<{width}}  {number:>8}  {clients:>7}  {first:<16}  {last}")
    size = options.db.stat().st_size / 1e6
    print(
        f"{sum(each.rows for each in labels):,} samples of {sum(each.label is not None for each in labels):,} labels, {size:,.1f} MB",
        file=sys.stderr,
    )
    return 0


def run_export(options: argparse.Namespace) -> int:
    """Write a recording."""
    from eacf.recording import Journal, line
    from eacf.samples import Store

    count = 0
    with Store.open(options.db, readonly=True) as store, Journal(options.out) as journal:
        before = _before(options, store.now_ns(time.time_ns()))
        for each in store.read() if before is None else store.read(released_before_ns=before):
            if options.label is None or each.label == options.label:
                journal.add(line(TOPIC, each.sensor, REPLY_TO, each.sample))
                count += 1
        journal.flush()
    print(f"{count:,} samples; written to {options.out} ({journal.bytes:,} bytes)", file=sys.stderr)
    return 0


def run_purge(options: argparse.Namespace) -> int:
    """Remove, and see that nothing of it stays in the files."""
    from eacf.samples import Store

    if not options.db.exists():
        raise SettingError(f"{options.db}: no such file; name a database that `eacf collect` writes")
    with Store.open(options.db) as store:
        before = _before(options, store.now_ns(time.time_ns()))
        count = store.purge(
            client=options.client, label=options.label, background=options.background, older_than_ns=before
        )
        wiped = store.wipe()
        if options.shrink:
            store.shrink()
    print(f"{count:,} samples removed from {options.db}", file=sys.stderr)
    if not wiped:
        print(
            f"eacf: {options.db}: another process reads it, so its log ({options.db.name}-wal) may hold some of them yet;"
            " end that one and run the same command again",
            file=sys.stderr,
        )
        return 1
    return 0


def _before(options: argparse.Namespace, now_ns: int) -> int | None:
    days = options.older_than
    if days is None:
        return None
    if not 0 <= days <= 36_500:
        raise SettingError(f"--older-than {days:g}: must be a number of days from 0 to 36,500")
    return now_ns - int(days * DAY_NS)


def _day(ns: int) -> str:
    """UTC; a clock may have said anything."""
    try:
        return f"{datetime.fromtimestamp(ns / 1e9, UTC):%Y-%m-%d %H:%M}"
    except (OverflowError, ValueError, OSError):
        return "?"
