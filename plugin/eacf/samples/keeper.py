"""The one that adds to the store: samples gathered in memory, written once a second in one transaction, within the bounds."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final, Self

from eacf.flow import Sample
from eacf.samples.clock import HOLD_NS, Clock
from eacf.samples.index import Index, Limits
from eacf.samples.rows import COLUMNS, ROW_BYTES, Row, bytes_of, client_of, name_of, row_of
from eacf.samples.schema import Busy, StoreError
from eacf.samples.store import BATCH, Store, claim

PENDING_ROWS: Final = 20_000
PENDING_BYTES: Final = 64 << 20
"""What waits for the disk at most; where there is more, what has waited longest goes."""
LOG_BYTES: Final = 128 << 20
"""The log (-wal) at most; beyond, somebody reads without end and nothing is added until he is done."""
AGE_SHARE: Final = 0.1
"""Of all rows, that an hour may take for their age, so that no jump of a clock empties the store."""
HOUR_NS: Final = 3600 * 1_000_000_000

_INSERT = f"INSERT INTO samples ({COLUMNS}) VALUES ({', '.join('?' * 16)})"  # noqa: S608 - no values in it
_PICTURE = f"""SELECT id, label, client, {ROW_BYTES} + 2 * coalesce(length(server_name), 0) + coalesce(length(payload), 0)
    + length(chunks) + length(records) FROM samples"""  # noqa: S608 - of constants alone


@dataclass
class Counts:
    """What became of samples since the start."""

    added: int = 0
    """Those that others of the same commit replaced included."""
    replaced: int = 0
    """Went for others, by the bounds of label, client or file."""
    aged: int = 0
    over_share: int = 0
    """Not taken: the file is full and their client holds its share of it."""
    overflowed: int = 0
    """Not taken: they waited too long for the disk (locked, slow or full)."""
    unwritten: int = 0
    """Lost with a write that failed (disk full), or that could not be made before the end."""


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
        self._aged_at = 0
        self._age_room = 0.0
        self._lock = -1
        self._rows = self._labels = 0
        self._log_path = path.with_name(path.name + "-wal")

    @classmethod
    def begin(cls, path: Path, limits: Limits, *, seed: int | None = None) -> Self:
        """Open the database as its only collector. As :meth:`Store.open`; SettingError where another collector has it."""
        made = cls.open(path)
        try:
            made._lock = claim(path)
        except BaseException:
            made.close()
            raise
        made.limits, made._chance = limits, Random(seed)
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

    @property
    def rows(self) -> int:
        """Rows after the last commit."""
        return self._rows

    @property
    def labels_kept(self) -> int:
        """Labels among them."""
        return self._labels

    def file_bytes(self) -> int:
        """Of the database and its log."""
        files = (self.path, self._log_path)
        return sum(file.stat().st_size for file in files if file.exists())

    @property
    def jumps(self) -> int:
        """How often the wall clock was found elsewhere."""
        return self._clock.jumps if self._clock is not None else 0

    def add(self, sample: Sample, *, label: str | None, sensor: str, mono_ns: int) -> None:
        """Take a sample that has arrived at `mono_ns`, to be written with the next commit."""
        size = bytes_of(sample)
        row = row_of(0, label, client_of(sample.orig_h), sensor, mono_ns, sample)
        self._pending.append((row, size))
        self._pending_bytes += size
        if len(self._pending) > PENDING_ROWS or self._pending_bytes > PENDING_BYTES:
            gone = max(1, len(self._pending) // 16)  # not one by one: the list is moved each time
            self._pending_bytes -= sum(size for _, size in self._pending[:gone])
            del self._pending[:gone]
            self.counts.overflowed += gone

    def forget(self, ids: Iterable[int]) -> int:
        """As :meth:`Store.forget`."""
        self._index = None  # what this connection changes is no change to SQLite's data_version
        return super().forget(ids)

    def relabel(self, rules: str, answer: Callable[[str | None], tuple[bool, str | None]]) -> int:
        """Give what is there the labels of other rules; how many rows changed or went.

        `rules`: their id; nothing is done where the last ones had the same. `answer`: whether a server name may teach, and
        its label. Ended early, it is done again the next time. StoreError, Busy.
        """
        if self._ask("SELECT value FROM about WHERE key = 'rules'") == [(rules,)]:
            return 0
        self._index = None
        at = changed = 0
        query = f"SELECT id, label, server_name FROM samples WHERE id > ? ORDER BY id LIMIT {BATCH}"  # noqa: S608 - of constants alone
        while rows := self._ask(query, (at,)):
            at = rows[-1][0]
            answers = [(number, old, *answer(name_of(value))) for number, old, value in rows]
            with self._writing():
                gone = [number for number, _, kept, _ in answers if not kept]
                others = [(label, number) for number, old, kept, label in answers if kept and label != old]
                self._remove(gone)
                self._db.executemany("UPDATE samples SET label = ? WHERE id = ?", others)
            changed += len(gone) + len(others)
        with self._writing():
            self._db.execute("INSERT OR REPLACE INTO about VALUES ('rules', ?)", (rules,))
        return changed

    def commit(self, wall_ns: int, mono_ns: int) -> None:
        """Write what is pending. Busy: nothing is written and nothing lost; StoreError: what was pending is lost, the file whole."""
        if self._clock is None:
            self._clock = Clock(wall_ns, mono_ns)
        now = self._clock.read(wall_ns, mono_ns)
        self._check_log()
        try:
            with self._writing():
                index, counts = self._write(now, mono_ns)
        except Busy:
            raise
        except StoreError:
            self.give_up()
            raise
        self._index = index
        self._rows, self._labels = index.rows, len(index.groups) - (None in index.groups)
        self._clock.moved_ns = 0
        if mono_ns >= self._hold_until:
            self._hold_until = 0
        self._pending, self._pending_bytes = [], 0
        for name, number in vars(counts).items():
            setattr(self.counts, name, getattr(self.counts, name) + number)

    def give_up(self) -> None:
        """Drop what is pending, and count it."""
        self.counts.unwritten += len(self._pending)
        self._pending, self._pending_bytes = [], 0

    def _write(self, now: int, mono: int) -> tuple[Index, Counts]:
        """All of a commit, within its transaction. Whatever fails on the way, the index is read again the next time."""
        known = self._index
        index, self._index = self._picture(now, mono), None
        self._follow_clock(now, mono)
        counts = Counts()
        rows: dict[int, Row] = {}
        gone = index.trim() if index is not known else []
        placed = 0
        for row, size in self._pending:
            dropped = index.place(self._next, row[1], row[4], size)
            if dropped is None:
                counts.over_share += 1
                continue
            arrived = now - (mono - row[6])
            placed += 1
            rows[self._next] = (self._next, *row[1:6], arrived, *row[7:])
            gone += dropped
            self._next += 1
        self._remove(number for number in gone if rows.pop(number, None) is None)
        self._db.executemany(_INSERT, rows.values())
        too_much = index.shrink(self._too_much(index))
        self._remove(too_much)
        counts.added, counts.replaced = placed, len(gone) + len(too_much)
        counts.aged = self._age(index, now, mono)
        self._db.execute("INSERT OR REPLACE INTO about VALUES ('now_ns', ?)", (now,))
        return index, counts

    def _remove(self, numbers: Iterable[int]) -> None:
        self._db.executemany("DELETE FROM samples WHERE id = ?", ((number,) for number in numbers))

    def _picture(self, now: int, mono: int) -> Index:
        """The index, read again where others changed the table."""
        version = self._db.execute("PRAGMA data_version").fetchone()[0]
        if self._index is not None and version == self._seen_version:
            return self._index
        index = Index(self.limits, self._chance)
        for row in self._db.execute(_PICTURE):
            index.load(*row)
        self._next = max(self._next, self.last_id() + 1)
        if self._first is None:
            self._first, self._aged_at = self._next, mono
            last = self._db.execute("SELECT value FROM about WHERE key = 'now_ns'").fetchone()
            if (
                last is not None and abs(now - last[0]) > HOUR_NS
            ):  # off for long, or a clock that is wrong: wait and see
                self._hold_until = mono + HOLD_NS
        self._seen_version = version
        return index

    def _follow_clock(self, now: int, mono: int) -> None:
        """Where a jump of the clock is believed, what was stored since the start moves with it, and nothing stays in the future."""
        moved = self._clock.moved_ns if self._clock is not None else 0
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
        return int(over * index.bytes / used) + 1 if over > 0 else 0

    def _age(self, index: Index, now: int, mono: int) -> int:
        """Remove what is too old, as much as the time since the last look allows."""
        passed, self._aged_at = mono - self._aged_at, mono
        if mono < self._hold_until:
            return 0
        share = index.rows * AGE_SHARE
        self._age_room = min(self._age_room + share * passed / HOUR_NS, max(share, 1.0))
        most = int(self._age_room)
        if most < 1:
            return 0
        query = "SELECT id, label FROM samples WHERE arrived_ns < ? ORDER BY arrived_ns LIMIT ?"
        old = self._db.execute(query, (now - self.limits.age_ns, most)).fetchall()
        for number, label in old:
            index.forget(number, label)
        self._remove(number for number, _ in old)
        self._age_room -= len(old)
        return len(old)

    def _check_log(self) -> None:
        """Busy where the log has grown too far, since somebody reads without end."""
        log = self._log_path
        if not log.exists() or log.stat().st_size <= LOG_BYTES or self.wipe():
            return
        raise Busy(f"{self.path}: another process has been reading it for so long that its log is full; end that one")
