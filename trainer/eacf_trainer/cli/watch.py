"""``eacf-train watch``: the learning loop."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path
from typing import Any

from eacf.console import FAILED, FINE
from eacf.errors import SettingError
from eacf_trainer.cli.flags import bus_flags, bus_of

DESCRIPTION = """\
Keep a model true to the traffic: when enough samples have come (or time has gone by, or a worker has raised an alarm of
drift), train a clone of the serving model on what `eacf collect` keeps, hold it against the serving model on samples that
neither has learnt from, and where it is better by a test, sign it and push it to the workers. What is not better stays here.

HOME holds everything: run folders, decisions.jsonl, report.html. It may be killed at any moment and goes on where it was.
docs/learning.md is the page to read before."""

EPILOG = """\
examples:
  eacf-train watch /var/lib/eacf/learning --db samples.db --from runs/office --labels office.toml --key ops.key
  eacf-train watch home --db samples.db --from public --once      one update now; prints the decision
  eacf-train watch home --db samples.db --settings watch.toml     all settings: docs/learning.md

exit codes: 0 ended by a signal; with --once: accepted, or nothing to do; 1 rejected, failed, or a database or disk that does not
work; 2 a mistake in the command or a setting"""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command and its options."""
    parser = commands.add_parser(
        "watch",
        help="keep a model up to date with what sensors see",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("home", type=Path, metavar="HOME", help="the watcher's folder; made where it is not there")
    parser.add_argument("--db", type=Path, required=True, metavar="FILE", help="the database of `eacf collect`")
    parser.add_argument(
        "--from",
        dest="begin",
        metavar="RUN",
        help="run folder to begin with, or `public`, `testbed` (default: public); of no effect once HOME has a model",
    )
    parser.add_argument("--go-back", metavar="ID", help="go on from this model of HOME's runs, whatever served last")
    parser.add_argument("--labels", metavar="NAME|FILE", help="the label map that `eacf collect` has (domains)")
    parser.add_argument("--key", metavar="NAME.key", help="sign accepted models with it, and push them")
    parser.add_argument("--out", metavar="FILE", help="put the newest accepted bundle there, too")
    parser.add_argument("--no-bus", action="store_true", help="hear no alarms and push nothing")
    parser.add_argument("--once", action="store_true", help="one update now, if there is any new sample, then end")
    parser.add_argument(
        "--paper", action="store_true", default=None, help="as the paper: no gate, samples are removed after use"
    )
    parser.add_argument(
        "--quarantine", type=float, metavar="S", help="seconds that a sample waits before it counts (600)"
    )
    parser.add_argument("--settings", type=Path, metavar="FILE", help="a TOML file of the loop's settings")
    bus_flags(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Watch."""
    from eacf.service import Notifier, Signals
    from eacf_trainer.watch import render, settings
    from eacf_trainer.watch.home import Home
    from eacf_trainer.watch.loop import Ended, Watcher

    asked = settings.resolve(
        options.settings,
        {
            "paper": options.paper,
            "labels": options.labels,
            "samples.quarantine_s": options.quarantine,
            "delivery.key": options.key,
            "delivery.out": options.out,
        },
    )
    check(options, asked)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    endpoints = None if options.no_bus else bus_of(options)
    with Home.open(options.home) as home, Signals() as signals:
        _begin(home, options)
        watcher = Watcher(
            home,
            options.db,
            asked,
            endpoints,
            signals,
            tell=lambda line: print(told(line), flush=True),
            show=lambda: render.draw(options.home),
            notifier=Notifier.of(),
        )
        try:
            watcher.recover()
            line = watcher.run(once=options.once)
        except Ended:
            return FINE
        finally:
            watcher.close()
    if options.once and line is None:
        print("nothing to do: no new sample is released")
    return FAILED if options.once and line is not None and line["outcome"] != "accepted" else FINE


def check(options: argparse.Namespace, asked: Any) -> None:
    """What can be seen before anything begins. SettingError."""
    from eacf import keys
    from eacf.samples import Store

    if options.once or options.db.exists():  # a collector may come later
        Store.open(options.db, readonly=True).close()
    if asked.delivery.key:
        keys.PrivateKey.read(Path(asked.delivery.key))
    if asked.golden and not Path(asked.golden).exists():
        raise SettingError(f"golden: {asked.golden}: no such file; name a recording (`eacf samples export`)")


def _begin(home: Any, options: argparse.Namespace) -> None:
    import time

    from eacf_trainer.watch.home import SHIPPED
    from eacf_trainer.watch.sending import text_of

    at = text_of(time.time())
    if options.go_back is not None:
        folder = home.run(options.go_back)
        if not folder.exists():
            raise SettingError(f"--go-back {options.go_back}: no run folder {folder}")
        home.begin(folder, at)
    elif home.state.serving is None:
        given = options.begin or "public"
        shipped = SHIPPED / given
        home.begin(shipped if shipped.is_dir() else Path(given), at)


def told(line: dict[str, Any]) -> str:
    """A line of the log in words."""
    if line["kind"] == "push":
        workers = line["workers"]
        if workers is None:
            where = f"lies in {line['file']}" if line["file"] else "lies in HOME's run folder"
            return f"bundle {line['bundle']}: not pushed, {where}"
        said = ", ".join(f"{worker} {' '.join(each).strip()}" for worker, each in workers.items())
        return f"bundle {line['bundle']}, serial {line['serial']}: {said or 'no worker is there'}"
    judgement = line.get("judgement")
    figures = ""
    if judgement:
        before, after = judgement["serving"]["macro_f1"], judgement["candidate"]["macro_f1"]
        if before is not None and after is not None:
            figures = f", macro-F1 {100 * before:.1f} -> {100 * after:.1f} on {judgement['judged']} samples (p {judgement['p']:g})"
    head = f"update {line['turn']} ({line['reason']}): {line['outcome']} {line.get('bundle') or ''}".rstrip()
    return "\n".join([head + figures, *(f"  {why}" for why in line["why"])])
