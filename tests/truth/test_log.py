from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from eacf.truth.log import EVERY_S, TruthLog

REPORT: dict[str, Any] = {
    "worker": "0123456789ab",
    "bundle": {"id": "b"},
    "truth": {"exams": 3},
    "shadow": None,
    "queue": {},
}


def test_a_line_a_minute(tmp_path: Path) -> None:
    log = TruthLog(tmp_path / "truth.log")
    due = [now for now in range(0, 300) if log.due(float(now))]
    assert due == [EVERY_S, 2 * EVERY_S, 3 * EVERY_S, 4 * EVERY_S]


def test_what_a_line_says(tmp_path: Path) -> None:
    path = tmp_path / "truth.log"
    log = TruthLog(path)
    log.write(REPORT, 1_700_000_000.0)
    log.write(REPORT, 1_700_000_060.0)
    first, second = map(json.loads, path.read_text().splitlines())
    assert first == {"ts": "2023-11-14T22:13:20+00:00", **{key: REPORT[key] for key in REPORT if key != "queue"}}
    assert second["ts"] == "2023-11-14T22:14:20+00:00"
    assert (log.lines, log.errors, log.problem) == (2, 0, None)


def test_nobody_else_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "truth.log"
    before = os.umask(0)
    try:
        TruthLog(path).write(REPORT, 0.0)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_that_is_rotated_away_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "truth.log"
    log = TruthLog(path)
    log.write(REPORT, 0.0)
    path.rename(tmp_path / "truth.log.1")
    log.write(REPORT, 0.0)
    assert len(path.read_text().splitlines()) == 1


def test_half_a_line_does_not_spoil_the_next(tmp_path: Path) -> None:
    path = tmp_path / "truth.log"
    path.write_text('{"ts": "2023')
    TruthLog(path).write(REPORT, 0.0)
    lines = path.read_text().splitlines()
    assert len(lines) == 2
    assert json.loads(lines[1])["worker"] == "0123456789ab"


def test_a_folder_that_is_gone_costs_lines_alone(tmp_path: Path) -> None:
    log = TruthLog(tmp_path / "gone" / "truth.log")
    log.write(REPORT, 0.0)
    log.write(REPORT, 0.0)
    assert (log.lines, log.errors) == (0, 2)
    assert log.problem is not None
    assert "No such file" in log.problem
    (tmp_path / "gone").mkdir()
    log.write(REPORT, 0.0)
    assert (log.lines, log.errors, log.problem) == (1, 2, None)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_costs_lines_alone() -> None:
    log = TruthLog(Path("/dev/full"))
    log.write(REPORT, 0.0)
    assert log.errors == 1
    assert log.problem is not None
    assert "No space left" in log.problem


def test_a_pipe_without_a_reader_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    log = TruthLog(tmp_path / "pipe")
    log.write(REPORT, 0.0)
    assert log.lines + log.errors == 1


def test_no_file_no_line() -> None:
    log = TruthLog(None)
    assert not any(log.due(float(now)) for now in range(300))
    log.write(REPORT, 0.0)
    assert (log.lines, log.errors) == (0, 0)
