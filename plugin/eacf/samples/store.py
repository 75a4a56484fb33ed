"""The store as everybody but the collector sees it: to read, and to remove from."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Self

from eacf.errors import SettingError
from eacf.samples.reading import Reading
from eacf.samples.rows import client_of
from eacf.samples.schema import connect, told

BATCH: int = 1000
"""Rows removed in one go; between two a collector gets its turn."""


class Store(Reading):
    """A database of samples. Use it in one thread; several processes may have it open."""

    def __init__(self, path: Path, db: sqlite3.Connection) -> None:
        self.path = path
        self._db = db

    @classmethod
    def open(cls, path: Path, *, readonly: bool = False) -> Self:
        """The database at `path`; a new one, where it is not `readonly` and there is none.

        SettingError where it cannot be opened; StoreError where it is damaged, none of ours or newer than this eacf; Busy.
        """
        return cls(path, connect(path, readonly=readonly))

    def close(self) -> None:
        """The end of it; the log goes into the file if nobody else has it open."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def now_ns(self, wall_ns: int) -> int:
        """The time by which age and quarantine are told: the store's own while a collector runs, since the wall clock may
        have jumped (:mod:`eacf.samples.clock`); else the wall clock's.
        """
        if not is_claimed(self.path):
            return wall_ns
        rows = self._ask("SELECT value FROM about WHERE key = 'now_ns'")
        return min(wall_ns, int(rows[0][0])) if rows else wall_ns

    def purge(
        self,
        *,
        client: str | None = None,
        label: str | None = None,
        background: bool = False,
        older_than_ns: int | None = None,
    ) -> int:
        """Remove what fits all that is given; how many rows that was.

        `client`: an address or network; `background`: what has no label; `older_than_ns`: what arrived before. SettingError
        where nothing is given, or no address. The bytes are overwritten with zeros in the file; :meth:`wipe` does so for
        the log.
        """
        where, values = self._where(client, label, background, older_than_ns)
        gone = 0
        while rows := self._ask(f"SELECT id FROM samples WHERE {where} LIMIT {BATCH}", values):  # noqa: S608 - terms are ours, values are bound
            gone += self.forget(row[0] for row in rows)
        return gone

    def forget(self, ids: Iterable[int]) -> int:
        """Remove the samples with these ids; how many there were. Busy, StoreError: those of whole batches are gone."""
        gone = 0
        every = list(ids)
        for at in range(0, len(every), BATCH):
            with self._writing():
                batch = [(number,) for number in every[at : at + BATCH]]
                gone += self._db.executemany("DELETE FROM samples WHERE id = ?", batch).rowcount
        return gone

    def wipe(self) -> bool:
        """Take the log into the file and empty it, so that what was removed is in neither; False where another process reads."""
        busy, _, _ = self._ask("PRAGMA wal_checkpoint(TRUNCATE)")[0]
        return not busy

    def shrink(self) -> None:
        """Give back to the file system what is free in the file (VACUUM). Busy while another process writes."""
        self._ask("VACUUM")
        self.wipe()

    def _where(
        self, client: str | None, label: str | None, background: bool, older_than_ns: int | None
    ) -> tuple[str, tuple[object, ...]]:
        terms: list[str] = []
        values: list[object] = []
        if client is not None:
            clients = self._clients(client)
            terms.append(f"client IN ({', '.join('?' * len(clients))})" if clients else "0")
            values += clients
        if label is not None or background:
            terms.append("label IS ?")
            values.append(label)
        if older_than_ns is not None:
            terms.append("arrived_ns < ?")
            values.append(older_than_ns)
        if not terms:
            raise SettingError("nothing said of what is to be removed; name a client, a label or an age")
        return " AND ".join(terms), tuple(values)

    def _clients(self, given: str) -> list[str]:
        """Those of the store within an address or network."""
        try:
            network = ip_network(given, strict=False)
            if network.num_addresses == 1:
                network = ip_network(client_of(ip_address(network.network_address)))
        except ValueError:
            raise SettingError(
                f"client {given!r}: is no address or network; say it like 192.0.2.7 or 192.0.2.0/24"
            ) from None
        found = (str(row[0]) for row in self._ask("SELECT DISTINCT client FROM samples"))
        return [each for each in found if (at := ip_network(each)).version == network.version and at.overlaps(network)]

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """A transaction; what goes wrong takes it back whole. Busy, StoreError."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise told(self.path, error) from error


def lock_path(path: Path) -> Path:
    """The file that a collector locks for its life. Not the database: SQLite's own locks are on that."""
    return path.with_name(path.name + ".lock")


def claim(path: Path) -> int:
    """Be its only collector, until the descriptor that is returned is closed. SettingError where another one is."""
    lock = os.open(lock_path(path), os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise SettingError(f"{path}: another collector writes to it; end that one, or name another file") from None
    return lock


def is_claimed(path: Path) -> bool:
    """Whether a collector runs on it. Asked by descriptor locks that do not stand in a new collector's way for long."""
    try:
        lock = os.open(lock_path(path), os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(lock)
    return False
