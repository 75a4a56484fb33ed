"""One small run, made once: captures of the testbed, a small network, its int8 bundle. TensorFlow is imported with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from eacf.bundle import Bundle
from eacf_trainer import bundles, captures, networks, quantise, recipes, samples, testbed, training
from eacf_trainer.bundles import Data, Int8
from eacf_trainer.config import CaptureSet, Outliers, Plan, Recipe, Way
from eacf_trainer.quantise import Quantisation
from eacf_trainer.samples import Labelled
from eacf_trainer.training import Trained


def captured(seeds: tuple[int, ...], sites: str) -> CaptureSet:
    return CaptureSet(seeds, 100, ("lan", "lossy"), (f"{sites}-0", f"{sites}-1"), background_share=0.2)


class Built(NamedTuple):
    """What `bundles.build` made."""

    bundle: Bundle
    file: Path
    run: Path


class Prepared(NamedTuple):
    """Samples on disk."""

    work: Path
    """What ``--work`` would be."""
    captures: dict[str, list[Path]]


@pytest.fixture(scope="session")
def plan() -> Plan:
    """Six captures of 100 connections."""
    return Plan(captured((1, 2, 3), "training"), captured((801, 802), "validation"), captured((1001,), "evaluation"))


@pytest.fixture(scope="session")
def recipe() -> Recipe:
    """The shipped recipe, small."""
    return replace(
        recipes.DEFAULT,
        name="small",
        epochs=15,
        batch=32,
        learning_rate=0.01,
        hidden=(24,),
        bins=24,
        outliers=Outliers(0.5, 2, 0.25),
    )


@pytest.fixture(scope="session")
def prepared(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """The captures of `plan`, generated and collected."""
    work = tmp_path_factory.mktemp("work")
    return Prepared(work, captures.prepare(plan, work / "captures", lambda text: None))


@pytest.fixture(scope="session")
def flows(prepared: Prepared) -> dict[str, dict[Way, Labelled]]:
    """Samples by purpose and cut."""
    return captures.read(prepared.captures, testbed.LABEL_MAP)


@pytest.fixture(scope="session")
def data(plan: Plan, flows: Mapping[str, Mapping[Way, Labelled]]) -> Data:
    """All that a bundle is built from."""
    return Data(**flows, label_map=testbed.LABEL_MAP, summary=captures.summary(plan, flows))


@pytest.fixture(scope="session")
def trained(recipe: Recipe, data: Data) -> Trained:
    """The float network of `recipe`."""
    return training.train(recipe, samples.joined([data.training[way] for way in recipe.ways]))


@pytest.fixture(scope="session")
def int8(recipe: Recipe, trained: Trained, data: Data) -> Int8:
    """The same, quantised."""
    return bundles.quantised(recipe, trained, samples.joined([data.validation[way] for way in recipe.ways]))


@pytest.fixture(scope="session")
def built(recipe: Recipe, data: Data, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The bundle and the run folder of `recipe`."""
    folder = tmp_path_factory.mktemp("built")
    bundle = bundles.build(recipe, data, folder, folder / "run", lambda text: None)
    return Built(bundle, folder / "small.eacf", folder / "run")


class Told(NamedTuple):
    """A network whose logits can be foretold, in float and in int8."""

    network: networks.Network
    rows: np.ndarray
    model: bytes
    quantisation: Quantisation


@pytest.fixture(scope="session")
def told() -> Told:
    """Eight bytes in, three logits out: each is 6 times one of the bytes 2, 1 and 3, as a share of 255."""
    network = networks.dense(8, (), 3, 0.0)
    kernel = np.zeros((8, 3), np.float32)
    kernel[2, 0] = kernel[1, 1] = kernel[3, 2] = 6
    network.set_weights([kernel, np.zeros(3, np.float32)])
    rows = np.eye(8, dtype=np.uint8) * 255
    return Told(network, rows, *quantise.convert(network, rows, 0, 255.0))
