"""The bundles that eacf ships, each by one call: `testbed` from made-up captures, `public` from a folder of real ones."""

from __future__ import annotations

import json
import shutil
import tomllib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from eacf import bundle, inference
from eacf.bundle import Bundle
from eacf.errors import SettingError
from eacf.labels import LabelRules
from eacf_trainer import bundle_card, evaluate, fit, plan, recipe, report
from eacf_trainer.crew import Crew, Tell
from eacf_trainer.dataset import Dataset, Options, Pool, build
from eacf_trainer.fit import Asked
from eacf_trainer.plan import Plan

SOURCES = Path(__file__).with_name("sources.toml")
"""Public repositories of captures: where they are and under which licence."""
KEPT = (
    "config.json",
    "versions.json",
    "dataset.json",
    "features.json",
    "calibration.json",
    "figures.json",
    "weights.npz",
    "ranges.npz",
    "calibrating.npz",
)
"""Of a run folder: what is kept beside a shipped bundle, enough to go on from its model (:mod:`eacf_trainer.again`)."""
Say = Callable[[str], None]


@dataclass(frozen=True)
class Homes:
    """Where results go, and where work is done."""

    bundles: Path
    runs: Path
    work: Path

    @classmethod
    def in_repository(cls, root: Path) -> Homes:
        """Shipped bundles and their runs are part of the repository."""
        return cls(root / "plugin" / "eacf" / "bundles", root / "trainer" / "eacf_trainer" / "shipped", root / "build")

    @classmethod
    def under(cls, folder: Path) -> Homes:
        """Everything in one folder."""
        return cls(folder, folder / "runs", folder / "work")


@dataclass(frozen=True)
class Work:
    """How it is done."""

    homes: Homes
    jobs: int = 1
    tell: Tell = lambda done, total, name: None
    say: Say = lambda text: None
    plan: Plan = field(default_factory=Plan)
    recipes: Sequence[str] = ("testbed", "default")
    """Of `testbed` and of `public`."""


def testbed(work: Work) -> Bundle:
    """Captures are generated, so that anyone can make this bundle again; the figures in it are of sites and paths that it never met."""
    captures = work.homes.work / "captures"
    made = {
        purpose: _dataset(
            work, [plan.generate(getattr(work.plan, purpose), captures / purpose, work.say)], f"testbed-{purpose}"
        )
        for purpose in ("training", "evaluation")
    }
    asked = Asked(
        made["training"],
        LabelRules.named("testbed"),
        recipe.load(work.recipes[0]),
        work.homes.work / "runs" / "testbed",
    )
    written = _fitted(work, asked)
    model = inference.Model(written)
    figures = evaluate.on_dataset(model, made["evaluation"], model.bundle.sni_label)
    return _shipped(work, asked, {"evaluation": figures}, {"data": "testbed (made-up applications)"})


def public(work: Work, captures: Path) -> Bundle:
    """From a folder of captures with ``manifest.csv``. None of it is copied: the bundle names its sources by repository and licence."""
    manifest = captures / "manifest.csv"
    if not manifest.is_file():
        raise SettingError(
            f"--captures {captures}: has no manifest.csv; name a folder of captures with one (docs/dataset.md)"
        )
    dataset = _dataset(work, [captures], "public", manifest)
    used = replace(recipe.load(work.recipes[1]), name="public")
    asked = Asked(dataset, LabelRules.named("domains"), used, work.homes.work / "runs" / "public")
    _fitted(work, asked)
    return _shipped(work, asked, {}, {"data": "public captures", "sources": sources(dataset)})


def _dataset(work: Work, given: Sequence[Path], name: str, manifest: Path | None = None) -> Dataset:
    work.say(f"{name}: collecting")
    runner = Pool(work.jobs)
    return build(given, work.homes.work / "datasets" / name, Options(), runner=runner, manifest=manifest)


def _fitted(work: Work, asked: Asked) -> Bundle:
    written = fit.fit(asked, Crew(asked.out / "cells", work.jobs), work.tell, work.say)
    if written is None:
        raise SettingError(f"recipe {asked.recipe.name}: an estimator cannot be shipped; name a recipe with a network")
    report.write(asked.out, None, asked.dataset)
    return written


def _shipped(work: Work, asked: Asked, figures: dict[str, Any], about: dict[str, Any]) -> Bundle:
    """Put the bundle, with more to say of itself, and the small part of its run folder where they belong."""
    name = asked.recipe.name
    made = bundle.load(asked.out / f"{name}.eacf")
    document = {
        key: value for key, value in made.manifest.document.items() if key not in ("format", "id", "members", "needs")
    }
    document["figures"] = {**document["figures"], **figures}
    document["training"] = {**about, **document["training"]}
    work.homes.bundles.mkdir(parents=True, exist_ok=True)
    written = bundle.write(work.homes.bundles / f"{name}.eacf", document, made.model)
    home = work.homes.runs / name
    home.mkdir(parents=True, exist_ok=True)
    for each in KEPT:
        shutil.copyfile(asked.out / each, home / each)
    config = json.loads((home / "config.json").read_text("utf-8"))
    config["bundle"] = written.id
    config["dataset"].pop("folder")
    (home / "config.json").write_text(json.dumps(config, indent=1) + "\n", "utf-8")
    (home / "README.md").write_text(bundle_card.written(written), "utf-8")
    return written


def sources(dataset: Dataset) -> dict[str, dict[str, Any]]:
    """The repositories that a dataset's captures come from, by the first folder of their names: where, licence, captures and flows."""
    known = tomllib.loads(SOURCES.read_text("utf-8"))
    table = dataset.table(["capture", "connection"]).to_pylist()
    captures: dict[str, set[str]] = {}
    flows: Counter[str] = Counter()
    for capture, _ in {(row["capture"], row["connection"]) for row in table}:
        name = capture.split("/")[0]
        captures.setdefault(name, set()).add(capture)
        flows[name] += 1
    return {
        name: {**known.get(name, {"licence": "unknown"}), "captures": len(captures[name]), "flows": flows[name]}
        for name in sorted(captures)
    }
