"""Who works off cells: this process, several on this machine, or a Dask cluster. The answers are the same, and kept as they come."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from eacf.errors import EacfError, SettingError
from eacf_trainer.cells import Answer, Cell, work
from eacf_trainer.processes import end_with_parent, interrupts_kept, signals_held, single_threaded

Tell = Callable[[int, int, str], None]
"""Told of cells done, cells in all, and the name of the last one."""
Worked = Generator[tuple[str, Answer], None, None]
"""Key and answer of each cell as it is done; closed early, it stops the work."""


class CrewError(EacfError, RuntimeError):
    """Work that could not be done. The message says the remedy."""


@dataclass(frozen=True)
class Crew:
    """Where cells are worked off."""

    store: Path
    """Folder of answers that are kept; cells found there are not done again."""
    jobs: int = 1
    """Processes on this machine."""
    dask: str | None = None
    """Address of a Dask scheduler; "local": a cluster of this machine; None: no Dask."""

    def run(self, cells: Sequence[Cell], tell: Tell = lambda done, total, name: None) -> dict[str, Answer]:
        """The answer of each cell, by name. What was finished when this is interrupted is found by the next run."""
        self.store.mkdir(parents=True, exist_ok=True)
        keys = {cell.name: cell.key() for cell in cells}
        answers: dict[str, Answer] = {}
        missing: dict[str, Cell] = {}
        for cell in cells:
            key = keys[cell.name]
            if key in answers or key in missing:
                continue
            if (kept := Answer.load(self._path(key))) is not None:
                answers[key] = kept
            else:
                missing[key] = cell
        done = len(answers)
        tell(done, done + len(missing), "")
        with closing(self._worked(missing)) as worked:
            for key, answer in worked:
                answer.save(self._path(key))
                answers[key] = answer
                tell(len(answers), done + len(missing), missing[key].name)
        return {name: answers[key] for name, key in keys.items()}

    def _path(self, key: str) -> Path:
        return self.store / f"{key}.npz"

    def _worked(self, missing: Mapping[str, Cell]) -> Worked:
        if self.dask is not None:
            return self._by_dask(missing)
        if self.jobs > 1 and len(missing) > 1:
            return self._by_processes(missing)
        return self._by_this(missing)

    def _by_this(self, missing: Mapping[str, Cell]) -> Worked:
        with interrupts_kept() as check:
            for key, cell in missing.items():
                yield key, work(cell)
                check()

    def _by_processes(self, missing: Mapping[str, Cell]) -> Worked:
        # Spawned, not forked: a process that has loaded TensorFlow cannot be forked.
        pool = ProcessPoolExecutor(min(self.jobs, len(missing)), get_context("spawn"), initializer=_begin)
        try:
            with signals_held():
                waiting = {pool.submit(work, cell): key for key, cell in missing.items()}
            while waiting:
                finished, _ = wait(waiting, return_when=FIRST_COMPLETED)
                for each in finished:
                    yield waiting.pop(each), _result(each)
        except BaseException:
            for process in list(pool._processes.values()):  # what they are at is not kept: no need to wait for it
                process.terminate()
            raise
        finally:
            pool.shutdown(cancel_futures=True)

    def _by_dask(self, missing: Mapping[str, Cell]) -> Worked:
        try:
            from distributed import Client, LocalCluster, as_completed
        except ImportError:
            raise SettingError("--dask: Dask is not installed; install eacf[dask]") from None
        cluster = None
        try:
            if self.dask == "local":
                cluster = LocalCluster(n_workers=self.jobs, threads_per_worker=1, dashboard_address=None)
            client = Client(cluster or self.dask)
        except (OSError, ValueError) as error:
            raise SettingError(
                f"--dask {self.dask}: no scheduler answers ({error}); name one as tcp://host:8786"
            ) from None
        try:
            futures = {client.submit(work, cell, key=f"cell-{key}", pure=True): key for key, cell in missing.items()}
            for future in as_completed(futures):
                yield futures[future], future.result()
        finally:
            client.close()
            if cluster is not None:
                cluster.close()


def _result(future: Future[Answer]) -> Answer:
    try:
        return future.result()
    except BrokenProcessPool:
        raise CrewError(
            "a process that trains was killed, most likely for want of memory; say fewer with --jobs and run the same command "
            "again, it goes on where it ended"
        ) from None


def _begin() -> None:
    single_threaded()
    end_with_parent()
