"""Tasks on Dask distributed: processes of this machine, or whatever cluster a scheduler's address leads to."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from eacf.errors import SettingError
from eacf_trainer.dataset.index import Part
from eacf_trainer.dataset.schema import DatasetError
from eacf_trainer.dataset.work import Skipped, Task, build_part

CONNECT_S = 10
LOCAL = "local"


class Cluster:
    """On the cluster at `address`, which must see the sources and the folder under the same paths and have eacf's trainer
    installed; "local": `jobs` processes of this machine.
    """

    def __init__(self, address: str = LOCAL, jobs: int = 1) -> None:
        self.address = address
        self.jobs = jobs

    def __call__(self, tasks: Sequence[Task], progress: Callable[[int], None]) -> Iterator[Part | Skipped]:
        try:
            import distributed
        except ImportError:
            raise SettingError("--dask: Dask is not installed; pip install 'eacf[dask]', or leave --dask out") from None
        if not tasks:
            return
        read = 0
        with self._client(distributed) as client:
            futures = client.map(build_part, tasks, pure=False)
            sizes = {future.key: task.source.size for future, task in zip(futures, tasks, strict=True)}
            for future in distributed.as_completed(futures):
                outcome = self._outcome(distributed, future)
                read += sizes[future.key]
                progress(read)
                yield outcome

    def _client(self, distributed: Any) -> Any:
        if self.address == LOCAL:
            cluster = distributed.LocalCluster(
                n_workers=self.jobs, threads_per_worker=1, dashboard_address=None, silence_logs=logging.CRITICAL
            )
            return _Both(cluster, distributed.Client(cluster))
        try:
            return distributed.Client(self.address, timeout=CONNECT_S)
        except (OSError, ValueError) as error:
            raise SettingError(
                f"--dask {self.address}: no scheduler answers ({error}); name one that runs, such as"
                " tcp://10.0.0.5:8786, or leave the address out for processes of this machine"
            ) from None

    def _outcome(self, distributed: Any, future: Any) -> Part | Skipped:
        try:
            outcome: Part | Skipped = future.result()
        except (distributed.KilledWorker, distributed.CancelledError) as error:
            raise DatasetError(
                f"the cluster lost the work ({error}); see its logs, and run the same command again, it goes on where it"
                " ended"
            ) from None
        return outcome


class _Both:
    """A client and its cluster, closed together."""

    def __init__(self, cluster: Any, client: Any) -> None:
        self._cluster, self._client = cluster, client

    def __enter__(self) -> Any:
        return self._client

    def __exit__(self, *_: object) -> None:
        self._client.close()
        self._cluster.close()
