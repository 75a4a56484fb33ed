from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from eacf import bundle
from eacf_trainer.cli import main


def test_the_same_bundle_or_another_name(run: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "x.eacf"
    assert main(["export", str(run.folder), "--out", str(out)]) == 0
    assert capsys.readouterr().out == f"{out}: {run.made.id}\n"
    assert out.read_bytes() == (run.folder / "tiny.eacf").read_bytes()
    assert main(["export", str(run.folder), "--out", str(out), "--name", "other", "--precision", "0.5"]) == 0
    assert bundle.load(out).name == "other"


def test_what_cannot_be_written(run: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "none" / "x.eacf"
    assert main(["export", str(run.folder), "--out", str(out)]) == 1
    assert "No such file or directory" in capsys.readouterr().err
    assert main(["export", str(run.folder), "--out", str(tmp_path / "x.eacf"), "--precision", "2"]) == 2
    assert "--precision 2.0: must be from 0 to 1" in capsys.readouterr().err
    assert main(["export", str(run.folder), "--out", str(tmp_path / "x.eacf"), "--name", "A b"]) == 1
    assert "manifest.name" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
