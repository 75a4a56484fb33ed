"""Options that several commands share, and the progress bar."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from eacf.errors import SettingError

if TYPE_CHECKING:
    from eacf.bus import Endpoints

BUS = ("subscribe_endpoint", "publish_endpoint", "bus_key", "bus_server_key")
"""The settings of eacf that say where the bus is."""


def labels_flag(parser: argparse.ArgumentParser) -> None:
    """Which label map."""
    parser.add_argument(
        "--labels",
        default="domains",
        metavar="NAME|FILE",
        help="a label map, see `eacf-train labels` (default: domains)",
    )


def bus_flags(parser: argparse.ArgumentParser) -> None:
    """Where the bus is, as `eacf` itself takes it."""
    what = "a TOML file of eacf's settings, for where the bus is"
    parser.add_argument("--config", type=Path, metavar="FILE", help=what)
    for key in BUS:
        is_key = key.endswith("_key")
        what = "for a bus behind an `eacf relay`" if is_key else "where the bus is (default: this machine)"
        parser.add_argument("--" + key.replace("_", "-"), metavar="FILE" if is_key else "TEXT", help=what)


def bus_of(options: argparse.Namespace) -> Endpoints:
    """What the flags, the environment and the file say. SettingError."""
    from eacf.bus import Endpoints
    from eacf.settings import resolve

    settings = resolve(options.config, os.environ, {key: getattr(options, key) for key in BUS}).settings
    return Endpoints.of(settings)


def crew_flags(parser: argparse.ArgumentParser) -> None:
    """Who does the work."""
    parser.add_argument("--jobs", type=int, metavar="N", help="processes (default: one a core)")
    parser.add_argument(
        "--dask",
        nargs="?",
        const="local",
        metavar="ADDRESS",
        help="work on Dask: a cluster of this machine, or the scheduler at tcp://HOST:PORT, whose workers see the same files",
    )


def jobs(options: argparse.Namespace) -> int:
    """How many processes --jobs asks for."""
    count: int = len(os.sched_getaffinity(0)) if options.jobs is None else options.jobs
    if count < 1:
        raise SettingError(f"--jobs {count}: must be a number of 1 or more")
    return count


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int, str], None]]:
    """A function to be told of pieces done, pieces in all and the last one's name; a bar on a terminal, nothing elsewhere."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    if not sys.stderr.isatty():
        yield lambda done, total, name: None
        return
    columns = (
        TextColumn(what),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[name]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None, name="")
        yield lambda done, total, name: bar.update(task, completed=done, total=total, name=name)
