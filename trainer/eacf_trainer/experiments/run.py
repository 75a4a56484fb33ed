"""All cells that are not finished yet, in processes of one thread each. What is finished is kept at once."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from eacf_trainer.experiments import timing
from eacf_trainer.experiments.compute import compute
from eacf_trainer.experiments.data import Flows
from eacf_trainer.experiments.plan import Cell
from eacf_trainer.experiments.settings import ExperimentError
from eacf_trainer.experiments.store import Store, read, write
from eacf_trainer.processes import THREADS, end_with_parent

LOG = "processes.log"
Say = Callable[[str], None]


def run(cells: Sequence[Cell], flows: Flows, store: Store, jobs: int, say: Say) -> None:
    """Compute what is missing; `jobs` processes, 0: in this one. What TensorFlow writes there goes to a log beside the cells.

    Ctrl-C loses the cells that are under way, one a process. Raises ExperimentError if a process dies.
    """
    missing = [cell for cell in cells if not store.has(cell)]
    say(f"{len(cells):,} cells, {len(cells) - len(missing):,} of them finished before")
    left = sum(cell.seconds(len(flows.samples)) for cell in missing)
    begun, done = time.monotonic(), 0.0
    for number, (cell, result) in enumerate(
        _results(missing, flows, jobs, store.folder.parent / LOG), len(cells) - len(missing) + 1
    ):
        store.put(cell, result)
        done += cell.seconds(len(flows.samples))
        rest = (time.monotonic() - begun) * max(left / done - 1, 0.0)
        right = sum(int(flows.wanted[row]) == said for row, said in zip(result["rows"], result["said"], strict=True))
        say(
            f"[{number:,} of {len(cells):,}] {cell}: {right / max(len(result['rows']), 1):.1%} right in"
            f" {result['seconds']:.0f} s; about {_duration(rest)} left"
        )


def timed(flows: Flows, size: int, store: Store, *, compute: bool, say: Say) -> dict[str, Any] | None:
    """What :func:`timing.measure` finds, in a process with nothing beside it; once for each processor."""
    path = store.timing_path(f"{timing.cpu()} {size} {len(flows.labels)}")
    found = read(path)
    if found is None and compute:
        say("time a flow: measuring")
        with one_thread(), pool(1, flows, store.folder.parent / LOG) as workers:
            found = workers.submit(timing.measure, flows, size).result()
        write(path, found)
    return found


def _results(cells: Sequence[Cell], flows: Flows, jobs: int, log: Path) -> Iterator[tuple[Cell, dict[str, Any]]]:
    if not jobs:
        for cell in cells:
            yield cell, compute(cell, flows)
        return
    waiting = iter(cells)
    with one_thread(), pool(jobs, flows, log) as workers:
        running: dict[Future[dict[str, Any]], Cell] = {}
        while True:
            for cell in islice(waiting, jobs - len(running)):
                running[workers.submit(_compute_here, cell)] = cell
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                cell = running.pop(future)
                try:
                    result = future.result()
                except BrokenProcessPool as error:
                    raise ExperimentError(
                        f"a process died at {cell} (out of memory? {log} has its last words); what is finished "
                        "is kept: run the same command again, with fewer --jobs"
                    ) from error
                yield cell, result


@contextmanager
def one_thread() -> Iterator[None]:
    """Processes that are started here compute with one thread each, unless the environment asks for something else."""
    added = [name for name in THREADS if name not in os.environ]
    os.environ.update(dict.fromkeys(added, "1"))
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]


@contextmanager
def pool(jobs: int, flows: Flows, log: Path) -> Iterator[ProcessPoolExecutor]:
    """Processes that know the flows. Left by an error or Ctrl-C, they are ended where they stand."""
    workers = ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), _begin, (flows, log))
    try:
        yield workers
    except BaseException:
        processes = list((workers._processes or {}).values())
        workers.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.terminate()
        raise
    workers.shutdown()


_flows: Flows | None = None
"""Of a worker process; set once as it begins."""


def _begin(flows: Flows, log: Path) -> None:
    global _flows
    _flows = flows
    with log.open("ab") as file:
        os.dup2(file.fileno(), 2)
    # Ctrl-C reaches all processes of a terminal; the first one ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()


def _compute_here(cell: Cell) -> dict[str, Any]:
    assert _flows is not None
    return compute(cell, _flows)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
