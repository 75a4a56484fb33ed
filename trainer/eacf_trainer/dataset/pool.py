"""Tasks in processes of this machine. A process ends with the one that started it, however that ends."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing.sharedctypes import Synchronized, SynchronizedArray
from typing import Any

from eacf_trainer.dataset.index import Part
from eacf_trainer.dataset.schema import DatasetError
from eacf_trainer.dataset.work import Skipped, Task, build_part
from eacf_trainer.processes import end_with_parent, signals_held

LOOK_S = 0.1
"""How often progress is told."""


def serial(tasks: Sequence[Task], progress: Callable[[int], None]) -> Iterator[Part | Skipped]:
    """One after the other, in this process."""
    before = 0
    for task in tasks:
        yield build_part(task, partial(_told, progress, before))
        before += task.source.size
        progress(before)


def _told(progress: Callable[[int], None], before: int, count: int) -> None:
    progress(before + count)


class Pool:
    """In `jobs` processes, which are started afresh (spawn): threads of this one do no harm, but its main module must
    not do work when it is imported.
    """

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs

    def __call__(self, tasks: Sequence[Task], progress: Callable[[int], None]) -> Iterator[Part | Skipped]:
        jobs = min(self.jobs, len(tasks))
        if jobs <= 1:
            yield from serial(tasks, progress)
            return
        context = multiprocessing.get_context("spawn")
        read, stop = context.Array("q", len(tasks), lock=False), context.Value("b", 0, lock=False)
        executor = ProcessPoolExecutor(jobs, context, _begin, (read, stop))
        try:
            with signals_held():
                waiting = {executor.submit(_run, number, task) for number, task in enumerate(tasks)}
            while waiting:
                done, waiting = wait(waiting, LOOK_S, FIRST_COMPLETED)
                progress(sum(read))
                for future in done:
                    yield _outcome(future)
        finally:
            stop.value = 1
            executor.shutdown(cancel_futures=True)


def _outcome(future: Future[Part | Skipped]) -> Part | Skipped:
    try:
        return future.result()
    except BrokenProcessPool:
        raise DatasetError(
            "a process that reads captures was killed, most likely for want of memory; say fewer with --jobs and run the"
            " same command again, it goes on where it ended"
        ) from None


# In the processes

_shared: tuple[Any, Any] | None = None


class _Stopped(Exception):
    """The build has ended; so does this task."""


def _begin(read: SynchronizedArray[int], stop: Synchronized[int]) -> None:
    global _shared
    _shared = read, stop
    end_with_parent()


def _run(number: int, task: Task) -> Part | Skipped:
    assert _shared is not None
    read, stop = _shared

    def progress(count: int) -> None:
        read[number] = count
        if stop.value:
            raise _Stopped

    return build_part(task, progress)
