"""``eacf-train dataset``: captures, recordings and kept samples in, a dataset out."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from eacf.errors import SettingError

if TYPE_CHECKING:
    from eacf_trainer.dataset import Dataset, Progress, Runner

CUTS = {"both": ("stream", "records"), "stream": ("stream",), "records": ("records",)}

DESCRIPTION = """\
Gather the TLS connections of captures and recordings into a dataset: a folder of Parquet files from which
models are trained. What has been read is kept if this ends early, however it ends; the same command goes on.

Captures are pcap and pcapng, plain or gzip. Recordings are what `eacf record` wrote on a sensor, databases (.db)
what `eacf collect` keeps. Folders are searched for all of them. Each connection is kept as models may see it:
"stream" (payload, chunks with times, record lengths) and "records" (the first 16 record lengths alone)."""

EPILOG = """\
examples:
  eacf-train dataset captures --out office
  eacf-train dataset monday.pcap.gz office.jsonl.gz --out office --no-payload
  eacf-train dataset samples.db --out office
  eacf-train dataset captures --manifest captures/manifest.csv --out public --payload-bytes 4000
  eacf-train dataset captures --out office --dask tcp://10.0.0.5:8786

exit codes: 0 built; what could not be read is listed. 1 nothing could be read, or the dataset not be written.
2 a mistake in the command or a file name"""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command and its options."""
    parser = commands.add_parser(
        "dataset",
        help="gather the connections of captures and recordings",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "sources", nargs="+", type=Path, metavar="CAPTURE_OR_RECORDING", help="a file, or a folder that is searched"
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="a new folder, or that of a build that goes on"
    )
    parser.add_argument("--cut", choices=CUTS, default="both", help="what to keep of each connection (default: both)")
    parser.add_argument(
        "--payload-bytes",
        type=int,
        default=3000,
        metavar="N",
        help='payload of a "stream" kept at most, and where it ends (default: 3000, what a sensor sends)',
    )
    parser.add_argument(
        "--no-payload", action="store_true", help="keep lengths and times of a stream, and no byte of it"
    )
    parser.add_argument(
        "--manifest",
        type=Path,
        metavar="FILE.csv",
        help="where connections come from (columns file, client, server, start_ts; capture, tls_version); of a file that"
        " it lists no other connection is taken",
    )
    parser.add_argument(
        "--jobs", type=int, metavar="N", help="read in so many processes (default: one for each processor)"
    )
    parser.add_argument(
        "--dask",
        nargs="?",
        const="local",
        metavar="ADDRESS",
        help="read on the Dask cluster with this scheduler, or without an address on one of --jobs processes here",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Build; returns the exit code."""
    from eacf_trainer.dataset import Options, build

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    runner = _runner(options)
    wanted = Options(CUTS[options.cut], options.payload_bytes, keep_payload=not options.no_payload)
    with _bar() as progress:
        dataset = build(
            options.sources, options.out, wanted, runner=runner, manifest=options.manifest, progress=progress
        )
    for line in told(dataset):
        print(f"eacf-train: {line}", file=sys.stderr)
    print(summary(dataset))
    return 0


def _leave(number: int, _: FrameType | None) -> None:
    """End in order, the processes with us, and with the exit code that a shell expects after that signal."""
    sys.exit(128 + number)


def _runner(options: argparse.Namespace) -> Runner:
    from eacf_trainer.dataset import Cluster, Pool

    jobs = len(os.sched_getaffinity(0)) if options.jobs is None else options.jobs
    if jobs < 1:
        raise SettingError(f"--jobs {jobs}: must be a number of 1 or more")
    if options.dask is None:
        return Pool(jobs)
    if Path(options.dask).exists():
        raise SettingError(f"--dask {options.dask}: is a file, not the address of a scheduler; put --dask last")
    return Cluster(options.dask, jobs)


def summary(dataset: Dataset) -> str:
    """What was built, in one line."""
    table = dataset.table(["cut", "connection", "capture"])
    cuts = {each["values"]: each["counts"] for each in table["cut"].value_counts().to_pylist()}
    kinds = ", ".join(f"{count:,} {cut}" for cut, count in sorted(cuts.items(), reverse=True))
    connections, captures = len(table["connection"].unique()), len(table["capture"].unique())
    return (
        f"dataset {dataset.id}: {_number(dataset.rows, 'row')} ({kinds}) of {_number(connections, 'connection')}"
        f" and {_number(captures, 'capture')}; {dataset.folder}"
    )


def told(dataset: Dataset) -> Iterator[str]:
    """What of the sources is not in it, line by line."""
    index = dataset.index
    for source, reason in index.skipped:
        yield f"{source}: skipped: {reason}"
    if index.duplicates:
        source, other = index.duplicates[0]
        yield f"{_number(len(index.duplicates), 'source')} with the content of another left out (the first: {source} is {other})"
    for part in index.parts:
        if part.cut_off:
            yield f"{part.source}: damaged or cut off; what stands before the damage was read"
        if part.bad_lines:
            yield f"{part.source}: {_number(part.bad_lines, 'line')} skipped; {'; '.join(part.first_bad_lines)}"
        if not part.listed:
            yield f"{part.source}: not in the manifest; all its connections were taken"
        if part.unlisted_connections:
            yield f"{part.source}: {_number(part.unlisted_connections, 'connection')} not in the manifest, left out"
        if part.unmet_lines:
            yield f"{part.source}: {_number(part.unmet_lines, 'line')} of the manifest without a connection"


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


@contextmanager
def _bar() -> Iterator[Progress]:
    """A progress bar on standard error where that is a terminal."""
    from eacf_trainer.dataset import Progress

    if not sys.stderr.isatty():
        yield Progress()
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("looking for captures", total=None)
        left = 0

        def say() -> None:
            bar.update(task, description=f"{_number(left, 'source')} to read")

        def begin(sources: int, total_bytes: int) -> None:
            nonlocal left
            left = sources
            bar.update(task, total=total_bytes)
            say()
            bar.refresh()  # also where all is read before it is time for the next look

        def done(_: object) -> None:
            nonlocal left
            left -= 1
            say()

        yield Progress(begin, lambda count: bar.update(task, completed=count), done)
