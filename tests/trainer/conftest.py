"""One small dataset and two small runs, made once: a network (TensorFlow comes with it) and an estimator."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import numpy as np
import pytest

from eacf.bundle import Bundle
from eacf.labels import LabelRules
from eacf_trainer import bank, flows, plan, recipe
from eacf_trainer.crew import Crew
from eacf_trainer.dataset import Dataset, Options, build, serial
from eacf_trainer.flows import Flows
from eacf_trainer.plan import CaptureSet
from eacf_trainer.protocol import Bench
from eacf_trainer.recipe import Recipe

if TYPE_CHECKING:
    from eacf_trainer.fit import Asked

SITE = CaptureSet(tuple(range(400, 408)), 60, ("lan", "dsl"), ("a", "b", "c", "d"))
TINY = """
name = "tiny"
[input]
records = 8
bins = 16
[network]
hidden = [24]
[training]
epochs = 3
learning_rate = 0.01
[training.teacher]
estimators = ["sklearn.ensemble.ExtraTreesClassifier(n_estimators=5)"]
recombined = 1.0
pool = 2
[training.outliers]
background = 0.5
made_up = 0.5
pool = 2
[labels]
least_flows = 5
[split]
folds = 2
inner = 2
beside = ["random"]
hidden_labels = 4
"""
NEIGHBOURS = "sklearn.neighbors.KNeighborsClassifier(n_neighbors=3)"
TREES = f"""
name = "neighbours"
early = [2, 4]
compare = ["naive-bayes"]
[network]
kind = "estimator"
estimator = "{NEIGHBOURS}"
[labels]
least_flows = 5
[split]
folds = 3
inner = 2
beside = ["random", "environment", "time", "client"]
hidden_labels = 4
"""


class Run(NamedTuple):
    """A run that was finished."""

    asked: Asked
    crew: Crew
    bundle: Bundle | None
    said: list[str]

    @property
    def folder(self) -> Path:
        return self.asked.out

    @property
    def made(self) -> Bundle:
        """Of a network."""
        assert self.bundle is not None
        return self.bundle


@pytest.fixture(scope="session")
def captures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight captures of 60 connections at four sites; do not write there."""
    return plan.generate(SITE, tmp_path_factory.mktemp("site") / "training", lambda text: None)


@pytest.fixture(scope="session")
def site(captures: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Their dataset."""
    return build([captures], tmp_path_factory.mktemp("site-dataset") / "dataset", Options(), runner=serial)


@pytest.fixture(scope="session")
def rules() -> LabelRules:
    """The testbed's label map."""
    return LabelRules.named("testbed")


@pytest.fixture(scope="session")
def tiny_text() -> str:
    """A small network's recipe, as a file."""
    return TINY


@pytest.fixture(scope="session")
def tiny(tiny_text: str) -> Recipe:
    """The same."""
    return recipe.parse(tomllib.loads(tiny_text), "tiny.toml")


@pytest.fixture(scope="session")
def neighbours() -> Recipe:
    """An estimator's recipe, judged in all ways there are."""
    return recipe.parse(tomllib.loads(TREES), "neighbours.toml")


@pytest.fixture(scope="session")
def found(site: Dataset, rules: LabelRules, tiny: Recipe) -> Flows:
    """The connections of `site`, labelled."""
    return flows.read(site, rules, tiny.labels)


@pytest.fixture(scope="session")
def banked(site: Dataset, found: Flows, tiny: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Their lengths as arrays."""
    return bank.prepare(site, found, tiny.input, tmp_path_factory.mktemp("work"))


@pytest.fixture(scope="session")
def bench(found: Flows, tiny: Recipe, banked: Path) -> Bench:
    """What cells of the tiny recipe share."""
    return Bench(found, tiny, str(banked))


def fitted(site: Dataset, rules: LabelRules, recipe: Recipe, out: Path, seeds: tuple[int, ...] = (1,)) -> Run:
    from eacf_trainer import fit  # TensorFlow takes seconds

    asked = fit.Asked(site, rules, recipe, out, seeds)
    said: list[str] = []
    crew = Crew(asked.out / "cells")
    return Run(asked, crew, fit.fit(asked, crew, lambda done, total, name: None, said.append), said)


@pytest.fixture(scope="session")
def run(site: Dataset, rules: LabelRules, tiny: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The tiny recipe, fitted; copy the folder before you change it."""
    return fitted(site, rules, tiny, tmp_path_factory.mktemp("run") / "run")


@pytest.fixture(scope="session")
def judged(site: Dataset, rules: LabelRules, neighbours: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The estimator's, with two seeds."""
    return fitted(site, rules, neighbours, tmp_path_factory.mktemp("judged") / "run", (1, 2))


class Told(NamedTuple):
    """A network whose logits can be foretold, in float and in int8."""

    network: Any
    rows: np.ndarray
    model: bytes
    quantisation: Any


@pytest.fixture(scope="session")
def told() -> Told:
    """Eight bytes in, three logits out: each is 6 times one of the bytes 2, 1 and 3, as a share of 255."""
    from eacf_trainer import networks, quantise

    network = networks.dense(8, (), 3, 0.0)
    kernel = np.zeros((8, 3), np.float32)
    kernel[2, 0] = kernel[1, 1] = kernel[3, 2] = 6
    network.set_weights([kernel, np.zeros(3, np.float32)])
    rows = np.eye(8, dtype=np.uint8) * 255
    return Told(network, rows, *quantise.convert(network, rows, 0, 255.0))
