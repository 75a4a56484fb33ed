"""What is asked of the store without changing it."""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from eacf.samples.rows import COLUMNS, Stored, stored_of
from eacf.samples.schema import StoreError, told

PAGE_ROWS: Final = 500
"""Rows read in one go, so that no reader holds up the log's return into the file for long."""
LAST: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Label:
    """What there is of a label; None: of background."""

    label: str | None
    rows: int
    clients: int
    first_ns: int
    """Arrival of the oldest."""
    last_ns: int
    bytes: int
    """Of payload, chunks and records."""


class Reading:
    """Base of :class:`eacf.samples.Store`: the queries. A sqlite3.Error becomes a StoreError or Busy."""

    path: Path
    _db: sqlite3.Connection

    def read(
        self,
        *,
        released_before_ns: int = LAST,
        after_id: int = 0,
        limit: int | None = None,
        background: bool = True,
    ) -> Iterator[Stored]:
        """Samples that arrived by `released_before_ns` (now, less the quarantine), with higher ids than `after_id`, by id.

        `background` False: only those with a label. What is removed or comes while this goes on may or may not be among them.
        """
        left = LAST if limit is None else limit
        labelled = "" if background else " AND label IS NOT NULL"
        while left > 0:
            rows = self._ask(
                f"SELECT {COLUMNS} FROM samples WHERE id > ? AND arrived_ns <= ?{labelled} ORDER BY id LIMIT ?",  # noqa: S608 - of constants; values are bound
                (after_id, released_before_ns, min(left, PAGE_ROWS)),
            )
            try:
                yield from map(stored_of, rows)
            except (ValueError, TypeError, struct.error) as error:
                raise StoreError(
                    f"{self.path}: a row after id {after_id} is none that eacf wrote ({error}); export what is before it, or"
                    f" delete it"
                ) from error
            if len(rows) < PAGE_ROWS:
                return
            left -= len(rows)
            after_id = rows[-1][0]

    def count_since(self, after_id: int = 0, *, released_before_ns: int = LAST) -> int:
        """How many labelled samples with higher ids than `after_id` arrived by then."""
        query = "SELECT count(*) FROM samples WHERE id > ? AND arrived_ns <= ? AND label IS NOT NULL"
        return int(self._ask(query, (after_id, released_before_ns))[0][0])

    def labels(self) -> list[Label]:
        """What there is, by label, most rows first."""
        query = """SELECT label, count(*), count(DISTINCT client), min(arrived_ns), max(arrived_ns),
            sum(coalesce(length(payload), 0) + length(chunks) + length(records))
            FROM samples GROUP BY label ORDER BY 2 DESC, label"""
        return [Label(*row) for row in self._ask(query)]

    def last_id(self) -> int:
        """The highest id that was ever given; 0: none."""
        rows = self._ask("SELECT seq FROM sqlite_sequence WHERE name = 'samples'")
        return int(rows[0][0]) if rows else 0

    def _ask(self, query: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        try:
            return self._db.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise told(self.path, error) from error
