"""The database's thread: takes samples from a bounded queue, labels them, writes them once a second.

However long the disk or another process's lock takes, the loop on the bus goes on; what there is no room for is dropped and
counted. Only a damaged database ends it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from threading import Condition, Thread
from typing import Final, NamedTuple

from eacf.flow import Sample
from eacf.labels import LabelRules, Why
from eacf.samples import Busy, Counts, Damaged, Keeper, StoreError
from eacf.samples.rows import bytes_of

QUEUE_FLOWS: Final = 20_000
QUEUE_BYTES: Final = 64 << 20
"""What waits for the thread at most."""
COMMIT_S: Final = 1.0
COMMIT_FLOWS: Final = 5_000
"""What has come is written so often, or when there are so many."""
IDLE_S: Final = 10.0
"""Without samples the clock and the bounds are looked at so often."""
PATIENCE_S: Final = 60.0
"""After writes that failed it is tried again at longer intervals, this one at most; a warning comes no more often."""
END_S: Final = 5.0
"""At the end a database that is locked is waited for so long."""

_log = logging.getLogger("eacf.collect")


def judged(rules: LabelRules, server_name: str | None) -> tuple[bool, str | None]:
    """Whether a name may teach, and its label; None: background. The public name of an ECH front end says nothing of what
    is behind it, so it teaches nothing, not even what the background looks like.
    """
    answer = rules.explain(server_name)
    return answer.why is not Why.ECH, answer.label


class Item(NamedTuple):
    """A flow on its way to the database."""

    sample: Sample
    sensor: str
    mono_ns: int


@dataclass(frozen=True)
class Kept:
    """What the database holds, and what became of flows so far."""

    rows: int = 0
    labels: int = 0
    bytes: int = 0
    """Of the file."""
    counts: dict[str, int] = field(default_factory=dict)
    """See :class:`eacf.samples.Counts`; and "ech": names that teach nothing; "dropped": no room in the queue."""
    jumps: int = 0
    """Of the wall clock."""


class Writer:
    """See the module. `put` and `kept` are for the loop; the rest happens in the thread."""

    def __init__(
        self,
        keeper: Keeper,
        rules: LabelRules,
        on_failure: Callable[[], None],
        *,
        mono_ns: Callable[[], int],
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        """`on_failure` is called from the thread once it can go on no more; `failure` says why."""
        self.kept = Kept()
        self.failure: StoreError | None = None
        self.turned_at = time.monotonic()
        """When the thread began its last turn."""
        self._keeper = keeper
        self._rules = rules
        self._on_failure = on_failure
        self._mono_ns, self._wall_ns = mono_ns, wall_ns
        self._queue: list[Item] = []
        self._queue_bytes = 0
        self._dropped = self._ech = 0
        self._ending = False
        self._changed = Condition()
        self._wait_s = COMMIT_S
        self._warn_at = 0.0
        self._thread = Thread(target=self._run, name="eacf-samples", daemon=True)
        self._thread.start()

    def put(self, samples: list[Sample], sensor: str) -> None:
        """Take flows, or drop them where the queue is full. Never waits for the disk."""
        now = self._mono_ns()
        with self._changed:
            for sample in samples:
                size = bytes_of(sample)
                if len(self._queue) >= QUEUE_FLOWS or self._queue_bytes + size > QUEUE_BYTES:
                    self._dropped += 1
                    continue
                self._queue.append(Item(sample, sensor, now))
                self._queue_bytes += size
            if self._due():
                self._changed.notify()

    def end(self, timeout_s: float) -> bool:
        """Write what is there and close the database; False where that takes longer."""
        with self._changed:
            self._ending = True
            self._changed.notify()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        idle_since = time.monotonic()
        self._commit()  # the index is read before the first samples are there
        while self.failure is None:
            self.turned_at = time.monotonic()
            with self._changed:
                self._changed.wait_for(self._due, self._wait_s)
                ending = self._ending
            self._take()
            if self._keeper.pending or ending or time.monotonic() - idle_since >= IDLE_S:
                self._commit()
                idle_since = time.monotonic()
            if ending:
                break
        end = time.monotonic() + END_S
        while self.failure is None and self._keeper.pending and time.monotonic() < end:
            time.sleep(0.05)
            self._commit()
        self._keeper.give_up()
        with self._changed:
            self._dropped += len(self._queue)
            self._queue, self._queue_bytes = [], 0
        self._tell()
        self._keeper.close()

    def _due(self) -> bool:
        full = len(self._queue) >= COMMIT_FLOWS or self._queue_bytes >= QUEUE_BYTES // 2
        return self._ending or (full and self._wait_s <= COMMIT_S)

    def _take(self) -> None:
        with self._changed:
            queue, self._queue, self._queue_bytes = self._queue, [], 0
        for sample, sensor, mono_ns in queue:
            teaches, label = judged(self._rules, sample.server_name)
            if teaches:
                self._keeper.add(sample, label=label, sensor=sensor, mono_ns=mono_ns)
            else:
                self._ech += 1

    def _commit(self) -> None:
        keeper = self._keeper
        try:
            keeper.commit(self._wall_ns(), self._mono_ns())
        except Damaged as error:
            self.failure = error
            self._on_failure()
        except Busy as error:
            self._warn(error)
        except StoreError as error:
            self._wait_s = min(2 * self._wait_s, PATIENCE_S)
            self._warn(error)
        else:
            self._wait_s = COMMIT_S
        self._tell()

    def _tell(self) -> None:
        keeper = self._keeper
        self.kept = Kept(
            keeper.rows, keeper.labels_kept, keeper.file_bytes(), self._counts(keeper.counts), keeper.jumps
        )

    def _counts(self, counts: Counts) -> dict[str, int]:
        return asdict(counts) | {"ech": self._ech, "dropped": self._dropped}

    def _warn(self, error: StoreError) -> None:
        now = time.monotonic()
        if now >= self._warn_at:
            self._warn_at = now + PATIENCE_S
            _log.warning("%s; going on, what there is no room for is dropped", error)
