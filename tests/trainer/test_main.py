"""The command line, in this process."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import pytest

from eacf import bundle
from eacf_trainer import __main__ as command
from eacf_trainer import pipeline, recipes, testbed
from eacf_trainer.config import Plan, Recipe


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """30 connections of no application."""
    path = tmp_path_factory.mktemp("captures") / "strange.pcap"
    testbed.generate(path, seed=41, connections=30, background_share=1.0)
    return path


def test_bundles_are_built_and_named(
    plan: Plan, recipe: Recipe, prepared: Any, built: Any, tmp_path: Path, capsys: Any, monkeypatch: Any
) -> None:
    """The command as it is, on the small plan and recipe and on captures that are there already."""
    monkeypatch.setattr(recipes, "DEFAULT", recipe)
    monkeypatch.setattr(pipeline, "run", functools.partial(pipeline.run, plan=plan))
    assert command.main(["bundles", "--only", "default", "--out", str(tmp_path), "--work", str(prepared.work)]) == 0
    out, err = capsys.readouterr()
    assert out == f"{tmp_path / 'small.eacf'}: {built.bundle.id}\n"
    assert bundle.load(tmp_path / "small.eacf").id == built.bundle.id
    assert "s] small: quantising and calibrating" in err
    assert "capture 1 of" not in err


@pytest.mark.parametrize("given", ["file", "folder"])
def test_abstention_is_counted_over_captures(capture: Path, capsys: Any, given: str) -> None:
    assert command.main(["abstention", str(capture if given == "file" else capture.parent)]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["bundle"] == bundle.load(bundle.default_path()).id
    assert report["captures"] == 1
    for way in ("records", "stream"):
        figures = report[way]
        assert figures["flows"] == 30
        answered = sum(figures["said"].values()) / 30
        assert figures["abstained"] + figures["refused"] + answered == pytest.approx(1, abs=1e-3)
        assert figures["abstained"] > 0.5


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["abstention", "no.pcap"], 1, "eacf_trainer: no.pcap: No such file or directory"),
        (["abstention", "no.pcap", "--bundle", "no.eacf"], 1, "eacf_trainer: no.eacf: cannot be read"),
    ],
)
def test_what_cannot_be_read_is_named(arguments: list[str], code: int, said: str, capsys: Any) -> None:
    assert command.main(arguments) == code
    assert capsys.readouterr().err.startswith(said)


def test_an_installed_trainer_asks_where_bundles_go(tmp_path: Path, capsys: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(command, "ROOT", tmp_path)
    assert command.main(["bundles"]) == 2
    assert "say with --out where" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [[], ["bundles", "--only", "both"], ["abstention"]])
def test_a_wrong_command_ends_with_2(arguments: list[str], capsys: Any) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(arguments)
    assert ended.value.code == 2
    assert "usage: python -m eacf_trainer" in capsys.readouterr().err
