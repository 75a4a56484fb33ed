"""``eacf-train push``: a bundle over the bus, to every worker that takes models."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from eacf.console import FAILED, FINE
from eacf.errors import BundleError, SettingError
from eacf_trainer.cli.flags import bus_flags, bus_of

if TYPE_CHECKING:
    from eacf.delivery import Outcome, Progress

WAIT_S = 30.0

DESCRIPTION = """\
Send a signed bundle over the bus to every worker that takes models (model_store and trusted_keys there). Each is sent
parts as it has room, goes on where an earlier push was cut, tries the model beside the flows it serves, and swaps
between two batches. What each says is shown: it serves now, or why it was refused."""

EPILOG = """\
examples:
  eacf-train push runs/office/default.eacf --key ops.key       sign and send
  eacf-train push signed.eacf                                  signed before (`eacf bundle sign`)
  eacf-train push new.eacf --key ops.key --shadow              only scores, beside the model that serves
  eacf-train push new.eacf --key ops.key --subscribe-endpoint tcp://10.0.0.5:5555 --publish-endpoint tcp://10.0.0.5:5556

exit codes: 0 every worker that takes models took it; 1 none did, or one refused or fell silent; 2 a mistake in the
command, a key or a file name"""

WORDS = {
    "serving": "serves",
    "shadow": "scores beside",
    "kept": "keeps it",
    "refused": "refused",
    "silent": "no answer",
    "gone": "left",
    "deaf": "takes none",
}


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command and its options."""
    parser = commands.add_parser(
        "push",
        help="send a bundle to the workers",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help="a file (.eacf)")
    parser.add_argument("--key", type=Path, metavar="NAME.key", help="sign it with this key (`eacf keys new`)")
    parser.add_argument("--shadow", action="store_true", help="with --key: it is to score beside the one that serves")
    bus_flags(parser)
    what = f"give a worker up that says nothing for so many seconds ({WAIT_S:g})"
    parser.add_argument("--timeout", type=float, default=WAIT_S, metavar="S", help=what)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Send it; 1 unless every worker that takes models took it."""
    if not 0 < options.timeout < float("inf"):
        raise SettingError(f"--timeout {options.timeout:g}: must be a number of seconds above 0")
    endpoints = bus_of(options)
    data = _signed(options)
    from eacf.delivery import push

    with _bars() as tell:
        outcomes = push(endpoints, data, wait_s=options.timeout, tell=tell)
    for worker, outcome in outcomes.items():
        said = f"worker {worker}: {WORDS.get(outcome.what, outcome.what)}"
        print(f"{said}: {outcome.reason}" if outcome.reason else said)
    if not any(outcome.taken for outcome in outcomes.values()):
        where = f"{endpoints.subscribe} and {endpoints.publish}"
        print(f"eacf-train: no worker on {where} took it", file=sys.stderr)
    return code(outcomes)


def code(outcomes: dict[str, Outcome]) -> int:
    """0 if a worker took it and none that takes models did not."""
    asked = [outcome for outcome in outcomes.values() if outcome.what != "deaf"]
    return FINE if asked and all(outcome.taken for outcome in asked) else FAILED


def _signed(options: argparse.Namespace) -> bytes:
    """The bundle's file with a signature. SettingError or BundleError, before anything is sent."""
    from eacf import bundle, keys
    from eacf.bundle import signing

    if not options.bundle.exists():
        raise SettingError(f"{options.bundle}: no such file; name a bundle (.eacf)")
    data = bundle.read_file(options.bundle)
    made = bundle.from_bytes(data, str(options.bundle))
    if options.key is not None:
        key = keys.PrivateKey.read(options.key)
        serial = keys.next_serial(options.key, time.time())
        return signing.sign(data, key, serial=serial, purpose="shadow" if options.shadow else "serve")
    if made.manifest.signature is None:
        raise BundleError(f"{options.bundle}: is not signed, and no worker takes it so; give --key NAME.key")
    if options.shadow:
        raise SettingError("--shadow: the signature says what a bundle is for; give --key NAME.key to sign it anew")
    return data


@contextmanager
def _bars() -> Iterator[Callable[[Progress], None]]:
    """A bar a worker on standard error where that is a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda progress: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TaskID, TextColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("worker {task.description}"),
        BarColumn(),
        DownloadColumn(),
        TextColumn("{task.fields[word]}"),
    )
    with Bars(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[str, TaskID] = {}

        def tell(progress: Progress) -> None:
            worker, have, size, outcome = progress
            if worker not in tasks:
                tasks[worker] = bars.add_task(worker, total=size, word="")
            word = WORDS.get(outcome.what, outcome.what) if outcome else "tries it" if have == size else "takes it"
            bars.update(tasks[worker], completed=have, word=word)

        yield tell
