"""The file: what is opened, what is refused as it is, how versions follow each other, killed while it is made."""

from __future__ import annotations

import hashlib
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from eacf.errors import SettingError
from eacf.samples import Busy, Damaged, Keeper, Limits, Store, StoreError
from eacf.samples.schema import MIGRATIONS, VERSION, VERSIONS, connect, migrate, version_of


def state_of(folder: Path) -> dict[str, tuple[str, int]]:
    """Every file of it, byte for byte; an empty log beside a database is none."""
    return {
        file.name: (hashlib.sha256(file.read_bytes()).hexdigest(), file.stat().st_mtime_ns)
        for file in folder.iterdir()
        if not file.name.endswith("-shm")  # SQLite's own map of the log
        and not (file.name.endswith("-wal") and not file.stat().st_size)
    }


def test_a_new_one_is_its_owners_alone_with_all_that_lies_beside(filled: Path) -> None:
    with Store.open(filled) as store:
        store.forget([1])
        files = [each for each in filled.parent.iterdir() if each.name.startswith(filled.name)]
        assert len(files) == 4
        assert [each.stat().st_mode & 0o777 for each in files] == [0o600] * 4


def test_one_that_others_may_read_is_refused(filled: Path) -> None:
    filled.chmod(0o640)
    with pytest.raises(SettingError, match="chmod 600"):
        Store.open(filled)
    Store.open(filled, readonly=True).close()


@pytest.mark.parametrize("readonly", [True, False])
def test_what_is_no_database_of_ours_stays_as_it_is(readonly: bool, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("Dear diary, " * 1000)
    other = sqlite3.connect(tmp_path / "other")
    other.execute("CREATE TABLE bookmarks (url)")
    other.close()
    (tmp_path / "folder").mkdir()
    (tmp_path / "pcap").write_bytes(bytes.fromhex("d4c3b2a1") + bytes(20))
    for file in tmp_path.iterdir():
        file.chmod(0o700 if file.is_dir() else 0o600)
    before = {file: file.read_bytes() for file in tmp_path.iterdir() if file.is_file()}
    for name, error in (("text", StoreError), ("other", StoreError), ("pcap", StoreError), ("folder", SettingError)):
        with pytest.raises(error, match=rf"{name}: .*; name (a|one) "):
            Store.open(tmp_path / name, readonly=readonly)
    assert {file: file.read_bytes() for file in tmp_path.iterdir() if file.is_file()} == before


def test_one_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="No such file"):
        Store.open(tmp_path / "none.db", readonly=True)
    with pytest.raises(SettingError, match="No such file"):
        Store.open(tmp_path / "nowhere" / "none.db")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("log", [False, True])
def test_a_damaged_one_is_told_and_untouched(filled: Path, log: bool) -> None:
    """`log`: there is a log beside it, as a kill leaves one, which opening would otherwise take into the file."""
    if log:
        program = (
            f"import os; from eacf.samples import *; from pathlib import Path; s = Store.open(Path({str(filled)!r}));"
        )
        program += "s.forget([5]); os._exit(9)"
        subprocess.run([sys.executable, "-c", program], check=False)
        assert filled.with_name(filled.name + "-wal").stat().st_size
    data = bytearray(filled.read_bytes())
    for at in range(4096 * 3, len(data), 4096):
        data[at : at + 200] = bytes(200)
    filled.write_bytes(data)
    before = state_of(filled.parent)
    for _ in range(2):
        with pytest.raises(Damaged, match=r"samples\.db: is damaged .*nothing was changed.*\.recover"):
            Keeper.begin(filled, Limits())
    assert state_of(filled.parent) == before


def test_a_newer_version_is_refused_and_untouched(filled: Path) -> None:
    db = sqlite3.connect(filled)
    db.execute("INSERT INTO schema_version VALUES (?, 'later', '9.9')", (VERSION + 1,))
    db.commit()
    db.close()
    before = state_of(filled.parent)
    for readonly in (True, False):
        with pytest.raises(StoreError, match=rf"schema version {VERSION + 1}, .* knows {VERSION}; use a newer eacf"):
            Store.open(filled, readonly=readonly)
    assert state_of(filled.parent) == before


def test_versions_follow_each_other_each_whole_or_not_at_all(filled: Path) -> None:
    """What a later eacf will do to this one's file: the steps are run once, a bad one is taken back."""
    db = sqlite3.connect(filled, isolation_level=None)
    steps = [*MIGRATIONS, "ALTER TABLE samples ADD COLUMN weight REAL; UPDATE samples SET weight = 1"]
    assert migrate(db, steps, "now") == VERSION
    assert migrate(db, steps, "now") == VERSION + 1
    assert db.execute("SELECT count(*), sum(weight) FROM samples").fetchone() == (300, 300.0)
    with pytest.raises(sqlite3.OperationalError):
        migrate(db, [*steps, "CREATE TABLE more (a); DROP TABLE nothing_of_this_name"], "now")
    assert version_of(db) == VERSION + 1
    assert not db.execute("SELECT * FROM sqlite_schema WHERE name = 'more'").fetchall()
    assert [row[0] for row in db.execute("SELECT version FROM schema_version")] == [VERSION, VERSION + 1]
    db.close()


def test_an_empty_database_becomes_one_of_ours(path: Path) -> None:
    path.touch(0o600)
    with Store.open(path) as store:
        assert list(store.read()) == []
    with Store.open(path, readonly=True) as store:
        assert (store.last_id(), store.count_since(), store.labels()) == (0, 0, [])


def test_one_that_was_left_half_made_is_made_whole(path: Path) -> None:
    """Killed between any two of the statements that make it."""
    for made in ((), (VERSIONS,)):
        path.unlink(missing_ok=True)
        db = sqlite3.connect(path)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA application_id = 0x65616366" if made else "PRAGMA user_version = 0")
        for each in made:
            db.execute(each)
        db.close()
        path.chmod(0o600)
        Store.open(path).close()
        with Store.open(path, readonly=True) as store:
            assert store.labels() == []


def test_a_copy_in_a_folder_that_cannot_be_written_is_read(filled: Path) -> None:
    """As a user that may not write there; root may everywhere, so the right is given up."""
    filled.parent.chmod(0o555)
    filled.chmod(0o444)
    program = f"""
import os
if os.getuid() == 0:
    os.chmod({str(filled.parent.parent)!r}, 0o755)
    for at in {[str(each) for each in filled.parents][:-1]!r}:
        os.chmod(at, os.stat(at).st_mode | 0o005)
from pathlib import Path
from eacf.samples import Store
if os.getuid() == 0:
    os.setgid(65534); os.setuid(65534)
with Store.open(Path({str(filled)!r}), readonly=True) as store:
    print(len(list(store.read())))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    filled.parent.chmod(0o755)
    assert (done.stdout, done.stderr) == ("300\n", "")


@pytest.mark.usefixtures("impatient")
def test_locked_for_good_is_busy(path: Path) -> None:
    with Store.open(path):
        pass
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        store = Store.open(path)
        with store, pytest.raises(Busy, match="another process holds it"):
            store.forget([1])
    finally:
        holder.close()


def half_written(path: Path, *, before: bool) -> tuple[bytes, bytes]:
    """A database and its journal as a process leaves them that is killed in a transaction; `before`: it held a table already."""
    source = path.with_name("source.db")
    with closing(sqlite3.connect(source, isolation_level=None)) as db:
        if before:
            db.execute("CREATE TABLE theirs (x)")
        db.execute("PRAGMA cache_size = 1")
        db.execute("BEGIN")
        db.execute("CREATE TABLE more (x)")
        db.executemany(
            "INSERT INTO more VALUES (zeroblob(4000))", [()] * 50
        )  # more than the cache holds, so it is written
        journal = source.with_name("source.db-journal")
        for made, name in ((source, path.name), (journal, path.name + "-journal")):
            path.with_name(name).write_bytes(made.read_bytes())
            path.with_name(name).chmod(0o600)
    return path.read_bytes(), path.with_name(path.name + "-journal").read_bytes()


def test_one_that_was_killed_while_it_was_made_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "samples.db"
    half_written(path, before=False)
    with closing(connect(path, readonly=False)) as db:
        assert version_of(db) == VERSION
        assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        assert not db.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'more'").fetchone()[0]


def test_what_another_program_left_half_written_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "theirs.db"
    held = half_written(path, before=True)
    with pytest.raises(StoreError):
        connect(path, readonly=False)
    assert (path.read_bytes(), path.with_name("theirs.db-journal").read_bytes()) == held
