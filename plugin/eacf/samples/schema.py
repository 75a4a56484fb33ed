"""The store's file: its tables, its version, and how it is opened without harm to what it is not.

A database says that it is ours by SQLite's application id, and which version by the last row of ``schema_version``.
A file that is anything else is refused as it is, before a byte of it is written.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import quote

import eacf
from eacf.errors import EacfError, SettingError

APPLICATION_ID: Final = 0x65616366
"""``eacf``."""
BUSY_S: Final = 2.0
"""How long a statement waits for another process's lock."""

MIGRATIONS: Final[Sequence[str]] = (
    """
    CREATE TABLE samples (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        label TEXT,
        server_name,
        sensor TEXT NOT NULL,
        client TEXT NOT NULL,
        uid TEXT NOT NULL,
        arrived_ns INTEGER NOT NULL,
        start_ns INTEGER NOT NULL,
        orig_h TEXT NOT NULL,
        orig_p INTEGER NOT NULL,
        resp_h TEXT NOT NULL,
        resp_p INTEGER NOT NULL,
        payload BLOB,
        chunks BLOB NOT NULL,
        records BLOB NOT NULL,
        cut TEXT NOT NULL CHECK (cut IN ('records', 'stream'))
    );
    CREATE INDEX samples_arrived ON samples (arrived_ns);
    CREATE TABLE about (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
    """,
)
"""The scripts that lead from one version to the next; the first makes version 1. Never changed, only added to."""
VERSION: Final = len(MIGRATIONS)
VERSIONS: Final = (
    "CREATE TABLE IF NOT EXISTS schema_version (version INTEGER PRIMARY KEY, at TEXT NOT NULL, eacf TEXT NOT NULL)"
)


class StoreError(EacfError, RuntimeError):
    """The database of samples is damaged, of another kind or version, or out of reach. Names file and remedy."""


class Damaged(StoreError):
    """What is in the file contradicts itself; nothing may be written any more."""


class Busy(StoreError):
    """Another process holds the database; what was to be done can be tried again."""


def connect(path: Path, *, readonly: bool) -> sqlite3.Connection:
    """The database `path`, of this version. A writer makes a new one and migrates an older one.

    SettingError where there is none to read, or where others may read it; StoreError where it is no database of samples,
    is damaged, or newer than this eacf; Busy.
    """
    new = not readonly and _made(path)
    if not new:
        _look(path, readonly=readonly)
    db = _open(path, "ro" if readonly else "rw")
    try:
        if not readonly:
            _prepare(db, path)
        return db
    except sqlite3.Error as error:
        db.close()
        raise told(path, error) from error
    except StoreError:
        db.close()
        raise


def migrate(db: sqlite3.Connection, scripts: Sequence[str], now: str) -> int:
    """Bring the database to the version that `scripts` lead to, each step whole or not at all; the version before."""
    before = version_of(db)
    for number in range(before + 1, len(scripts) + 1):
        db.execute("BEGIN IMMEDIATE")
        with db:
            if version_of(db) >= number:  # another process was quicker
                continue
            for statement in scripts[number - 1].split(";"):
                if statement.strip():
                    db.execute(statement)
            db.execute("INSERT INTO schema_version VALUES (?, ?, ?)", (number, now, eacf.__version__))
    return before


def version_of(db: sqlite3.Connection) -> int:
    """0: an empty database."""
    if not db.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'schema_version'").fetchone()[0]:
        return 0
    return int(db.execute("SELECT coalesce(max(version), 0) FROM schema_version").fetchone()[0])


def told(path: Path, error: sqlite3.Error) -> StoreError:
    """An error of SQLite with the file and a remedy."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_NOTADB:
        return StoreError(f"{path}: is no database of samples; name one that `eacf collect` writes, or a new file")
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return Busy(f"{path}: another process holds it; end what has it open for long, or try again")
    if code == sqlite3.SQLITE_CORRUPT:
        return Damaged(_damaged(path, str(error)))
    return StoreError(f"{path}: {error}; see that there is room, and that this user may write the file and its folder")


def _damaged(path: Path, what: str) -> str:
    return (
        f"{path}: is damaged ({what}); nothing was changed. Move it away, with {path.name}-wal and -shm, and start anew, or"
        f" save what can be read: sqlite3 {path.name} .recover | sqlite3 saved.db"
    )


def _made(path: Path) -> bool:
    """Make an empty file for its owner alone; False where there is one already."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        return False
    except OSError as error:
        raise SettingError(f"{path}: {error.strerror}; name a file that can be written") from None
    return True


def _look(path: Path, *, readonly: bool) -> None:
    """Whether it is ours to open, without a write."""
    # Never opened here by ourselves: closing a file drops the locks that SQLite holds on it in the same process (fcntl).
    try:
        about = path.stat()
    except OSError as error:
        raise SettingError(f"{path}: {error.strerror}; name a database that `eacf collect` writes") from None
    if not stat.S_ISREG(about.st_mode):
        raise SettingError(f"{path}: is no file; name a database that `eacf collect` writes")
    if not readonly and about.st_mode & 0o077:
        raise SettingError(f"{path}: others than its owner may open it; chmod 600 {path}")
    if not about.st_size and not readonly:
        return
    db = _open(path, "ro")
    try:
        kind = db.execute("PRAGMA application_id").fetchone()[0]
        tables = db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        if kind != APPLICATION_ID and (tables or readonly):
            raise StoreError(f"{path}: is a database, but none of samples; name one that `eacf collect` writes")
        version = version_of(db)
        if version > VERSION or (readonly and version < VERSION):
            raise StoreError(
                f"{path}: has schema version {version}, and this eacf (version {eacf.__version__}) knows"
                f" {VERSION}; {'use a newer eacf' if version > VERSION else 'run `eacf collect` on it once'}"
            )
        if not readonly:
            found = db.execute("PRAGMA quick_check(1)").fetchone()[0]
            if found != "ok":
                raise Damaged(_damaged(path, " ".join(str(found).split())))
    except sqlite3.Error as error:
        if not readonly and error.sqlite_errorcode == sqlite3.SQLITE_READONLY_ROLLBACK and _was_empty(path):
            return
        raise told(path, error) from error
    finally:
        db.close()


def _was_empty(path: Path) -> bool:
    """Whether what a killed process left half-written is to be rolled back to an empty file: one that was being made.

    By the rollback journal's header (SQLite's file format, section 3): at byte 16 the pages that the database had before.
    """
    with path.with_name(path.name + "-journal").open("rb") as journal:
        return journal.read(20)[16:] == bytes(4)


def _open(path: Path, mode: str) -> sqlite3.Connection:
    # Without a log there is nothing to read but the file; where the folder cannot be written no log can be made either.
    alone = mode == "ro" and not os.access(path.parent, os.W_OK) and not path.with_name(path.name + "-wal").exists()
    uri = f"file:{quote(os.fsencode(path.absolute()))}?mode={mode}{'&immutable=1' if alone else ''}"
    try:
        return sqlite3.connect(uri, uri=True, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise told(path, error) from error


def _prepare(db: sqlite3.Connection, path: Path) -> None:
    """A writer's connection. FULL: a commit is on the disk; once a second that costs little."""
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("PRAGMA secure_delete = ON")
    db.execute(f"PRAGMA journal_size_limit = {16 << 20}")
    if version_of(db) == 0:
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(VERSIONS)
    migrate(db, MIGRATIONS, datetime.now(UTC).isoformat(timespec="seconds"))
