from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eacf_trainer.watch.decisions import Decisions, LogError, read


def test_lines_come_back_in_order(tmp_path: Path) -> None:
    path = tmp_path / "decisions.jsonl"
    log = Decisions(path)
    for number in range(3):
        log.append({"turn": number, "text": "ü\n"})
    log.close()
    assert [line["turn"] for line in read(path)] == [0, 1, 2]
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(read(tmp_path / "none")) == []


@given(st.integers(0, 60), st.integers(0, 3))
def test_a_torn_end_is_cut_off_wherever_it_was_torn(
    tmp_path_factory: pytest.TempPathFactory, cut: int, whole: int
) -> None:
    path = tmp_path_factory.mktemp("log") / "decisions.jsonl"
    lines = b"".join(b'{"turn": %d}\n' % number for number in range(whole))
    torn = b'{"turn": 99, "text": "' + b"x" * 60
    path.write_bytes(lines + torn[:cut])
    log = Decisions(path)
    assert log.torn == min(cut, len(torn))
    log.append({"turn": 7})
    log.close()
    assert [line["turn"] for line in read(path)] == [*range(whole), 7]


def test_a_long_torn_end(tmp_path: Path) -> None:
    path = tmp_path / "decisions.jsonl"
    path.write_bytes(b'{"turn": 1}\n' + b"x" * 200_000)
    log = Decisions(path)
    log.close()
    assert log.torn == 200_000
    assert path.read_bytes() == b'{"turn": 1}\n'


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(LogError, match="name a folder"):
        Decisions(tmp_path / "none" / "decisions.jsonl")


def test_a_full_disk_leaves_no_half_line() -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full here")
    with pytest.raises((LogError, OSError)):
        Decisions(full).append({"turn": 1})
