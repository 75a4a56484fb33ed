"""Files that are half here: gone on with, bounded in number, nobody else's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from eacf.delivery.incoming import MAX_FILES, Incoming


def test_a_file_grows_and_is_gone_on_with(tmp_path: Path) -> None:
    incoming = Incoming(tmp_path / "incoming")
    first = incoming.open("ab", 10)
    assert (first.have, first.resumed) == (0, False)
    first.add(b"12345")
    first.close()
    first.close()
    second = incoming.open("ab", 10)
    assert (second.have, second.resumed) == (5, True)
    second.add(b"67890")
    assert second.path.read_bytes() == b"1234567890"
    assert second.path.stat().st_mode & 0o777 == 0o600
    second.discard()
    assert not second.path.exists()


def test_one_that_is_longer_than_the_bundle_begins_anew(tmp_path: Path) -> None:
    incoming = Incoming(tmp_path)
    first = incoming.open("ab", 10)
    first.add(bytes(11))
    first.close()
    second = incoming.open("ab", 10)
    assert (second.have, second.resumed) == (0, False)


def test_only_so_many_are_kept_and_the_oldest_go(tmp_path: Path) -> None:
    incoming = Incoming(tmp_path)
    (tmp_path / "other").write_bytes(b"not ours")
    for number in range(MAX_FILES + 2):
        incoming.open(f"{number}", 10).close()
        os.utime(tmp_path / f"{number}.part", (number, number))
    names = {each.name for each in tmp_path.iterdir()}
    assert names == {"other", *(f"{number}.part" for number in range(2, MAX_FILES + 2))}


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"")
    (tmp_path / "ab.part").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic"):
        Incoming(tmp_path).open("ab", 10)
