from __future__ import annotations

import fcntl
import os
import resource
import threading
from pathlib import Path

import pytest

from eacf.files import lock, locked, replace


def test_replaced_in_one_step_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with path.open("rb") as reader:
        replace(path, b"new", 0o600)
        assert reader.read() == b"old"
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["a"]


def test_a_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(OSError, match="File too large") as caught:
            replace(path, bytes(1000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.filename == str(path)
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["a"]


def test_no_folder_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        replace(tmp_path / "none" / "a", b"")
    assert caught.value.filename == str(tmp_path / "none" / "a")


def test_a_lock_is_waited_for_and_no_longer_than_said(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.touch()
    first, second = (os.open(path, os.O_RDWR) for _ in range(2))
    with locked(first, 0):
        with pytest.raises(BlockingIOError):
            lock(second, 0.05)
        threading.Timer(0.05, fcntl.flock, (first, fcntl.LOCK_UN)).start()
        lock(second, 10)
    for each in (first, second):
        os.close(each)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files for others")
def test_what_root_writes_for_the_owner_of_the_folder_is_the_owners(tmp_path: Path) -> None:
    os.chown(tmp_path, 12345, 12345)
    replace(tmp_path / "a", b"", 0o600, for_owner=True)
    replace(tmp_path / "b", b"", 0o600)
    assert ((tmp_path / "a").stat().st_uid, (tmp_path / "b").stat().st_uid) == (12345, 0)
