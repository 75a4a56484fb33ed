"""What outlives a restart of the agent: the acts that are in place, with their ends, in a SQLite file.

Written after the kernel took them and before Zeek hears of it. Nothing is synced to the disk: an agent that is killed loses
nothing by that, and a machine that goes down has no connections left. A disk that fails costs the memory and nothing else.
"""

from __future__ import annotations

import fcntl
import logging
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Final, Literal, Self

from eacf.enforce.ledger import Rule
from eacf.errors import SettingError
from eacf.files import lock
from eacf.wire import Act

FILE: Final = "enforce.db"
VERSION: Final = 1
BEGIN_S: Final = 10.0
"""At the start: time in which another agent must let go of the folder."""
RETRY_S: Final = 10.0
"""After an error: when all of it is written anew."""

_log = logging.getLogger("eacf.enforce")

_TABLE = """
CREATE TABLE IF NOT EXISTS acts (
    id TEXT PRIMARY KEY, reply_to TEXT NOT NULL, kind TEXT NOT NULL, orig_h TEXT NOT NULL, orig_p INTEGER NOT NULL,
    resp_h TEXT NOT NULL, resp_p INTEGER NOT NULL, protocol TEXT NOT NULL, width INTEGER NOT NULL, key TEXT NOT NULL,
    priority TEXT, dscp INTEGER, rate INTEGER, lasts REAL NOT NULL, until REAL NOT NULL
)
"""
_PUT = "INSERT OR REPLACE INTO acts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_ALL = "SELECT * FROM acts ORDER BY rowid"


@dataclass(frozen=True)
class Kept:
    """One act of before a restart."""

    act: Act
    reply_to: str
    left_s: float
    """Until its end; not more than the act was to last, even where the clock was set back."""


class Memory:
    """See the module. Without a folder it keeps nothing. `wall`: seconds since the epoch."""

    def __init__(self, folder: Path | None) -> None:
        """SettingError where the folder cannot be used, or another agent has it."""
        self.errors = 0
        self._folder = folder
        self._db: sqlite3.Connection | None = None
        self._lock: int | None = None
        self._stale_until: float | None = None
        if folder is not None:
            self._lock = _held(folder)
            self._db = self._opened(folder / FILE)

    def kept(self, wall: float) -> Iterator[Kept]:
        """What was in place and is not over, the oldest first."""
        if self._db is None:
            return
        try:
            rows = self._db.execute(_ALL).fetchall()
        except sqlite3.Error as error:
            self._failed(error, wall)
            return
        for row in rows:
            try:
                kept = _kept(row, wall)
            except (ValueError, TypeError) as error:
                _log.warning("%s: an act that cannot be read is passed over (%s)", FILE, error)
                continue
            if kept.left_s > 0:
                yield kept

    def write(self, there: Sequence[Rule], gone: Sequence[str], every: Iterable[Rule], now: float, wall: float) -> None:
        """Keep what is new or changed, and strike out what went. `every`: all there is, written anew after an error.
        `now`: the clock of the rules' ends."""
        if self._db is None or (self._stale_until is not None and wall < self._stale_until):
            return
        try:
            self._db.execute("BEGIN")
            if self._stale_until is not None:
                self._db.execute("DELETE FROM acts")
                there, gone = list(every), ()
            self._db.executemany("DELETE FROM acts WHERE id = ?", [(each,) for each in gone])
            self._db.executemany(_PUT, [_row(rule, wall - now) for rule in there])
            self._db.execute("COMMIT")
            self._stale_until = None
        except sqlite3.Error as error:
            self._failed(error, wall)

    def rewrite(self, every: Iterable[Rule], now: float, wall: float) -> None:
        """Keep these and nothing else."""
        self._stale_until = wall
        self.write((), (), every, now, wall)

    def close(self) -> None:
        """Let go of file and folder; what is kept stays."""
        if self._db is not None:
            try:
                self._db.close()
            except sqlite3.Error as error:
                _log.warning("%s: %s", FILE, error)
            self._db = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _opened(self, path: Path) -> sqlite3.Connection:
        """The database; one that cannot be read is put aside, for what it would give back is not worth a gateway's start."""
        try:
            return _connect(path)
        except sqlite3.DatabaseError as error:
            aside = path.with_name(f"{path.name}.damaged")
            _log.warning("%s: %s; put aside as %s, nothing is put back", path, error, aside.name)
            self.errors += 1
        try:
            for suffix in ("-wal", "-shm"):
                path.with_name(path.name + suffix).unlink(missing_ok=True)
            path.replace(aside)
            return _connect(path)
        except (OSError, sqlite3.Error) as error:
            raise SettingError(f"--state {path.parent}: cannot keep {path.name} there ({error})") from None

    def _failed(self, error: sqlite3.Error, wall: float) -> None:
        if self._db is not None and self._db.in_transaction:
            self._db.rollback()
        if not self.errors:
            _log.warning("%s/%s: %s; what is in place is not kept for a restart meanwhile", self._folder, FILE, error)
        self.errors += 1
        self._stale_until = wall + RETRY_S


def _held(folder: Path) -> int:
    """A descriptor that holds the folder's lock."""
    try:
        folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError as error:
        raise SettingError(f"--state {folder}: {error.strerror}; name a folder that this user may write") from None
    try:
        lock(descriptor, BEGIN_S, fcntl.LOCK_EX)
    except BlockingIOError:
        os.close(descriptor)
        raise SettingError(f"--state {folder}: another `eacf enforce` uses it; give each a folder of its own") from None
    return descriptor


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, timeout=1.0)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = OFF")
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, VERSION):
            raise sqlite3.DatabaseError(f"version {version}, this program's is {VERSION}")
        db.execute(_TABLE)
        db.execute(f"PRAGMA user_version = {VERSION}")
        db.execute(_ALL).close()
    except sqlite3.Error:
        db.close()
        raise
    return db


def _row(rule: Rule, offset: float) -> tuple[str | int | float | None, ...]:
    act = rule.act
    return (
        act.id, rule.reply_to, act.kind, str(act.orig_h), act.orig_p, str(act.resp_h), act.resp_p, act.protocol, act.width,
        act.key, act.priority, act.dscp, act.rate, act.lasts_s, rule.until + offset,
    )  # fmt: skip


def _kept(row: Sequence[object], wall: float) -> Kept:
    """ValueError, TypeError where it says nothing that an act can say."""
    (
        id_, reply_to, kind, orig_h, orig_p, resp_h, resp_p, protocol, width, key, priority, dscp, rate, lasts, until,
    ) = row  # fmt: skip
    act = Act(
        id=str(id_),
        kind=str(kind),
        orig_h=ip_address(str(orig_h)),
        orig_p=_number(orig_p),
        resp_h=ip_address(str(resp_h)),
        resp_p=_number(resp_p),
        protocol=_protocol(protocol),
        width=_number(width),
        key=str(key),
        priority=None if priority is None else str(priority),
        dscp=None if dscp is None else _number(dscp),
        rate=None if rate is None else _number(rate),
        lasts_s=float(str(lasts)),
    )
    return Kept(act, str(reply_to), min(float(str(until)) - wall, act.lasts_s))


def _number(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(f"{value!r} where a whole number should be")
    return value


def _protocol(value: object) -> Literal["tcp", "udp", "unknown"]:
    if value == "tcp":
        return "tcp"
    return "udp" if value == "udp" else "unknown"
