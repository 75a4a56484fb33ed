"""The one that adds to the store: samples gathered in memory, written once a second in one transaction, within the bounds."""

from __future__ import annotations

import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final, Self

from eacf.flow import Sample
from eacf.samples.clock import HOLD_NS, Clock
from eacf.samples.index import Index, Limits
from eacf.samples.rows import COLUMNS, ROW_BYTES, Row, bytes_of, client_of, row_of
from eacf.samples.schema import Busy, StoreError
from eacf.samples.store import BATCH, Store, claim

PENDING_ROWS: Final = 20_000
PENDING_BYTES: Final = 64 << 20
"""What waits for the disk at most; where there is more, what has waited longest goes."""
LOG_BYTES: Final = 128 << 20
"""The log (-wal) at most; beyond, somebody reads without end and nothing is added until he is done."""
AGE_SHARE: Final = 0.1
"""Of all rows, that an hour may take for their age, so that no jump of a clock empties the store."""
AGE_EVERY_NS: Final = 10 * 1_000_000_000
HOUR_NS: Final = 3600 * 1_000_000_000

_INSERT = f"INSERT INTO samples ({COLUMNS}) VALUES ({', '.join('?' * 16)})"


@dataclass
class Counts:
    """What became of samples since the start."""

    added: int = 0
    replaced: int = 0
    """Went for others, by the bounds of label, client or file."""
    aged: int = 0
    over_share: int = 0
    """Not taken: the file is full and their client holds its share of it."""
    overflowed: int = 0
    """Not taken: they waited too long for the disk (locked, slow or full)."""
    unwritten: int = 0
    """Lost with a write that failed (disk full)."""


class Keeper(Store):
    """See the module. Its time is wall clock and monotonic clock, both given."""

    def __init__(self, path: Path, db: sqlite3.Connection) -> None:
        super().__init__(path, db)
        self.counts = Counts()
        self.limits = Limits()
        self._chance = Random()
        self._pending: list[tuple[Row, int]] = []
        self._pending_bytes = 0
        self._index: Index | None = None
        self._seen_version = -1
        self._next = 0
        self._first: int | None = None  # the id from which on rows are of this process
        self._clock: Clock | None = None
        self._hold_until = 0
        self._age_at = 0
        self._lock = -1

    @classmethod
    def begin(cls, path: Path, limits: Limits, *, seed: int | None = None) -> Self:
        """Open the database as its only collector. As :meth:`Store.open`; SettingError where another collector has it."""
        made = cls.open(path)
        try:
            made._lock = claim(path)
        except BaseException:
            made.close()
            raise
        made.limits, made._chance = limits, Random(seed)  # noqa: S311
        return made

    def close(self) -> None:
        """What is pending is lost; commit before."""
        super().close()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    @property
    def pending(self) -> int:
        """Samples that wait for a commit."""
        return len(self._pending)

    def time(self, wall_ns: int, mono_ns: int) -> int:
        """The store's time (:mod:`eacf.samples.clock`)."""
        if self._clock is None:
            self._clock = Clock(wall_ns, mono_ns)
        return self._clock.read(wall_ns, mono_ns)

    def add(self, sample: Sample, *, label: str | None, sensor: str, arrived_ns: int) -> None:
        """Take a sample, to be written with the next commit."""
        size = bytes_of(sample)
        self._pending.append((row_of(0, label, client_of(sample.orig_h), sensor, arrived_ns, sample), size))
        self._pending_bytes += size
        if len(self._pending) > PENDING_ROWS or self._pending_bytes > PENDING_BYTES:
            gone = max(1, len(self._pending) // 16)  # not one by one: the list is moved each time
            self._pending_bytes -= sum(size for _, size in self._pending[:gone])
            del self._pending[:gone]
            self.counts.overflowed += gone

    def commit(self, wall_ns: int, mono_ns: int) -> None:
        """Write what is pending. Busy: nothing is written and nothing lost; StoreError: what was pending is lost, the file whole."""
        now = self.time(wall_ns, mono_ns)
        if self._log_bytes() > LOG_BYTES:
            self.wipe()
            if self._log_bytes() > LOG_BYTES:
                raise Busy(
                    f"{self.path}: somebody has been reading for long, so that its log cannot be taken in; end that"
                )
        pending, pending_bytes = self._pending, self._pending_bytes
        try:
            with self._writing():
                counts = self._write(pending, now, mono_ns)
        except Busy:
            self._index = None
            raise
        except StoreError:
            self._index = None
            self.counts.unwritten += len(pending)
            self._pending, self._pending_bytes = [], 0
            raise
        self._pending, self._pending_bytes = [], self._pending_bytes - pending_bytes
        for name, number in vars(counts).items():
            setattr(self.counts, name, getattr(self.counts, name) + number)

    def _write(self, pending: list[tuple[Row, int]], now: int, mono: int) -> Counts:
        counts = Counts()
        index = self._picture(now, mono)
        self._follow_clock(now, mono)
        gone: set[int] = set()
        rows: list[Row] = []
        for row, size in pending:
            dropped = index.place(self._next, row[1], row[4], size)
            if dropped is None:
                counts.over_share += 1
                continue
            rows.append((self._next, *row[1:]))
            gone.update(dropped)
            self._next += 1
        gone.update(index.shrink(self._too_much(index)))
        counts.replaced = len(gone)
        rows = [row for row in rows if row[0] not in gone] if gone else rows
        counts.added = len(rows)
        self._db.executemany("DELETE FROM samples WHERE id = ?", [(number,) for number in gone])
        self._db.executemany(_INSERT, rows)
        counts.aged = self._age(now, mono)
        self._db.execute("INSERT OR REPLACE INTO about VALUES ('now_ns', ?)", (now,))
        return counts

    def _picture(self, now: int, mono: int) -> Index:
        """The index, read again where others changed the table."""
        version = self._db.execute("PRAGMA data_version").fetchone()[0]
        if self._index is not None and version == self._seen_version:
            return self._index
        index = Index(self.limits, self._chance)
        query = f"""SELECT id, label, client, {ROW_BYTES} + 2 * coalesce(length(server_name), 0) + coalesce(length(payload), 0)
            + length(chunks) + length(records) FROM samples"""  # noqa: S608
        for row in self._db.execute(query):
            index.load(*row)
        self._next = max(self._next, self.last_id() + 1)
        if self._first is None:
            self._first = self._next
            last = self._db.execute("SELECT value FROM about WHERE key = 'now_ns'").fetchone()
            if (
                last is not None and abs(now - last[0]) > HOUR_NS
            ):  # off for long, or a clock that is wrong: wait and see
                self._hold_until = mono + HOLD_NS
        self._index, self._seen_version = index, version
        return index

    def _follow_clock(self, now: int, mono: int) -> None:
        """Where a jump of the clock is believed, what was stored since the start moves with it; nothing is in the future."""
        assert self._clock is not None
        moved = self._clock.moved_ns
        if moved:
            self._db.execute("UPDATE samples SET arrived_ns = arrived_ns + ? WHERE id >= ?", (moved, self._first))
        if moved or (self._hold_until and mono >= self._hold_until):
            self._db.execute("UPDATE samples SET arrived_ns = ? WHERE arrived_ns > ?", (now, now))

    def _too_much(self, index: Index) -> int:
        """Bytes by which the file, without what is free in it, is over its bound, in terms of the index."""
        pages, free, size = (
            self._db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
        )
        used = (pages - free) * size
        over = used - self.limits.bytes
        return int(over * index.bytes / used) + 1 if over > 0 and used else 0

    def _age(self, now: int, mono: int) -> int:
        if mono < self._age_at or mono < self._hold_until:
            return 0
        return 0

    def _log_bytes(self) -> int:
        try:
            return self.path.with_name(self.path.name + "-wal").stat().st_size
        except FileNotFoundError:
            return 0
