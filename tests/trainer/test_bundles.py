"""The shipped bundles, made small, out of answers that the tiny run has given already."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from eacf import bundle
from eacf.errors import SettingError
from eacf_trainer import bundles, plan
from eacf_trainer.bundles import Homes, Work
from eacf_trainer.dataset import Dataset
from eacf_trainer.plan import CaptureSet, Plan


def work(folder: Path, recipe: Path, said: list[str], name: str, run: Any) -> Work:
    """As `eacf-train bundles --out` does it."""
    shutil.copytree(run.folder / "cells", folder / "work" / "runs" / name / "cells")
    small = CaptureSet((1600,), 40, ("lossy",), ("z",))
    homes = Homes.under(folder)
    return Work(homes, say=said.append, plan=Plan(small, small), recipes=(str(recipe), str(recipe)))


@pytest.fixture
def recipe(tiny_text: str, tmp_path: Path) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(tiny_text)
    return path


@pytest.mark.slow
def test_testbed(
    run: Any, captures: Path, site: Dataset, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its training captures are those of the site, which are there already."""
    said: list[str] = []
    out = tmp_path / "out"
    made = work(out, recipe, said, "testbed", run)
    shutil.copytree(captures, out / "work" / "captures" / "training")
    made = replace(made, plan=Plan(SITE_SEEDS, made.plan.evaluation))
    written = bundles.testbed(made)
    assert "testbed-training: collecting" in said
    assert written.model == run.made.model  # the same dataset, recipe and seed
    assert bundle.load(out / f"{written.name}.eacf").id == written.id
    document = written.manifest.document
    assert document["figures"]["evaluation"]["flows"] > 20
    assert document["figures"]["grouped"] == run.made.manifest.document["figures"]["grouped"]
    assert document["training"]["data"] == "testbed (made-up applications)"
    home = out / "runs" / written.name
    assert set(bundles.KEPT) <= {path.name for path in home.iterdir()}
    config = json.loads((home / "config.json").read_text())
    assert config["bundle"] == written.id
    assert str(tmp_path) not in (home / "config.json").read_text()
    assert str(tmp_path) not in json.dumps(document)
    assert (out / "work" / "runs" / "testbed" / "report.html").is_file()
    assert written.id in (home / "README.md").read_text()


SITE_SEEDS = CaptureSet(tuple(range(400, 408)), 60, ("lan", "dsl"), ("a", "b", "c", "d"))


def test_public_needs_a_manifest(recipe: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"has no manifest.csv; name a folder of captures with one"):
        bundles.public(Work(Homes.under(tmp_path)), tmp_path)


def test_sources_are_named_with_their_licence(site: Dataset) -> None:
    """By the first folder of a capture's name."""
    connections = {(row["capture"], row["connection"]) for row in site.table(["capture", "connection"]).to_pylist()}
    assert bundles.sources(site) == {"training": {"licence": "unknown", "captures": 8, "flows": len(connections)}}


def test_the_sources_of_the_shared_captures_are_known(shared: Path) -> None:
    known = bundles.tomllib.loads(bundles.SOURCES.read_text("utf-8"))
    with (shared / "pcaps" / "apps" / "manifest.csv").open() as lines:
        wanted = {row["capture"].split("/")[0] for row in csv.DictReader(lines)}
    assert wanted <= set(known)
    assert all(each["licence"] for each in known.values())


def test_homes() -> None:
    homes = Homes.in_repository(Path("/r"))
    assert (homes.bundles, homes.runs) == (Path("/r/plugin/eacf/bundles"), Path("/r/trainer/eacf_trainer/shipped"))
    assert Homes.under(Path("/x")).bundles == Path("/x")
    assert plan.Plan() == Work(homes).plan
