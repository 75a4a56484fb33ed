from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from eacf import bundle
from eacf_trainer import pipeline, recipes
from eacf_trainer.config import Plan, Recipe
from eacf_trainer.pipeline import Homes


def run(plan: Plan, recipe: Recipe, work: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, list[str]]:
    """The default recipe's place taken by a small one: the id of its bundle, and what was said."""
    monkeypatch.setattr(recipes, "DEFAULT", recipe)
    said: list[str] = []
    (made,) = pipeline.run(["default"], False, work, Homes.under(out), said.append, plan)
    return made.id, said


@pytest.mark.slow
def test_captures_made_anew_and_the_same_seed_give_the_same_bytes(
    plan: Plan, recipe: Recipe, built: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`built` came from other captures of the same seeds: other keys, other payload, the same lengths."""
    made, said = run(plan, recipe, tmp_path / "work", tmp_path / "out", monkeypatch)
    assert said[0].startswith("training: capture 1 of 3")
    assert said[-1] == "small: measuring on the evaluation captures"
    assert made == built.bundle.id
    assert (tmp_path / "out" / "small.eacf").read_bytes() == built.file.read_bytes()
    run_folder = tmp_path / "out" / "runs" / "default"
    assert {path.name for path in run_folder.iterdir()} == {path.name for path in built.run.iterdir()}
    for path in run_folder.iterdir():
        assert path.read_bytes() == (built.run / path.name).read_bytes(), path.name


def test_the_shipped_bundle_goes_where_it_is_shipped_from(repository: Path) -> None:
    homes = Homes.in_repository(repository)
    assert homes.bundles["default"] == bundle.default_path().parent
    assert (homes.runs["default"] / "weights.npz").is_file()
    assert homes.bundles["paper"].relative_to(repository).parts[0] == "build"  # 12 MB, and not tracked


def test_everything_under_one_folder_keeps_runs_apart(tmp_path: Path) -> None:
    homes = Homes.under(tmp_path)
    assert set(homes.bundles.values()) == {tmp_path}
    assert len(set(homes.runs.values())) == 2


def test_light_is_the_papers_affair() -> None:
    assert pipeline.recipe("paper", False) is recipes.PAPER
    assert pipeline.recipe("paper", True) is recipes.PAPER_LIGHTER
    assert pipeline.recipe("default", True) is pipeline.recipe("default", False) is recipes.DEFAULT
