from __future__ import annotations

import json
from typing import Any

import pytest

from eacf_trainer.cli import main
from eacf_trainer.dataset import Dataset


def test_figures_as_json(run: Any, site: Dataset, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["evaluate", str(run.folder / "tiny.eacf"), str(site.folder)]
    assert main(given) == 0
    own = json.loads(capsys.readouterr().out)
    assert (own["bundle"], own["dataset"]) == (run.made.id, site.id)
    assert main([*given, "--labels", "testbed"]) == 0  # which the rules in the bundle come from
    assert json.loads(capsys.readouterr().out) == own
    assert main([*given, "--labels", "nothing"]) == 2
