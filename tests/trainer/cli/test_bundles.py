from __future__ import annotations

from pathlib import Path

import pytest

from eacf_trainer.cli import bundles, main


def test_mistakes(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eacf_trainer.processes.single_threaded", lambda: None)
    for arguments, said in (
        (["public", "--out", str(tmp_path)], "bundles public: needs --captures"),
        (["public", "--out", str(tmp_path), "--captures", str(tmp_path)], "has no manifest.csv"),
        (["testbed", "--out", str(tmp_path), "--jobs", "0"], "--jobs 0: must be a number of 1 or more"),
    ):
        assert main(["bundles", *arguments]) == 2
        assert said in capsys.readouterr().err
    monkeypatch.setattr(bundles, "ROOT", tmp_path)
    assert main(["bundles", "testbed"]) == 2
    assert "not run from its repository: say with --out" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
