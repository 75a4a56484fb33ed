from __future__ import annotations

import json
from pathlib import Path

import pytest

from eacf_trainer import recipe
from eacf_trainer.cli import main


def test_a_line_for_each_that_is_shipped(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipes"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == recipe.names()
    assert all(len(line.split()) > 5 for line in lines)


def test_one_of_them_whole(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["recipes", "default"]) == 0
    assert recipe.parse(json.loads(capsys.readouterr().out), "x") == recipe.load("default")
    (tmp_path / "mine.toml").write_text('name = "mine"\n')
    assert main(["recipes", str(tmp_path / "mine.toml")]) == 0
    assert json.loads(capsys.readouterr().out)["training"]["batch"] == 64
