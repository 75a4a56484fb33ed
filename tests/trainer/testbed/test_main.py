"""The command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from eacf_trainer.testbed.__main__ import main


def test_it_writes_a_capture_and_says_what_is_in_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "out.pcap"), "--connections", "20", "--apps", "chat", "video"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [line[0] for line in lines] == ["chat", "video"]
    assert sum(int(line[1]) for line in lines) == 20


def test_a_folder_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "no" / "out.pcap"), "--connections", "2"]) == 1
    assert "no/out.pcap" in capsys.readouterr().err


def test_a_wrong_path_is_the_operators_mistake(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        main([str(tmp_path / "out.pcap"), "--path", "warp"])
    assert ended.value.code == 2
