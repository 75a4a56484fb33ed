"""The small run's bundle, held against the float network that it came from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eacf import inference
from eacf_trainer import bundles, calibrate, evaluate, networks, quantise, recipes, samples, testbed, training
from eacf_trainer.config import Recipe


def test_the_file_is_loaded_and_serves(built: Any, data: Any) -> None:
    model = inference.load(built.file)  # golden rows are checked with it
    assert model.bundle.id == built.bundle.id
    assert len(built.bundle.manifest.golden.inputs) == bundles.GOLDEN_ROWS
    answers = model.verdicts(data.evaluation["records"].samples)
    assert {verdict.reason for verdict in answers} >= {None, "abstained"}
    assert built.bundle.manifest.document["label_map"] == testbed.LABEL_MAP
    assert built.bundle.needs.records_only


def test_probabilities_are_near_the_float_networks(built: Any, trained: Any, data: Any) -> None:
    flows = data.evaluation["records"]
    served = inference.Model(built.bundle).scores(flows.samples)
    floats = networks.logits(trained.network, trained.features.encode(flows.samples), trained.mu, trained.sd)
    wanted = calibrate.softmax(floats, built.bundle.manifest.temperature)
    assert np.abs(served - wanted).mean() < 0.01
    assert np.abs(served - wanted).max() < 0.15
    assert (served.argmax(axis=1) == wanted.argmax(axis=1)).mean() > 0.95


def test_thresholds_keep_their_promise_on_validation_flows(
    recipe: Recipe, built: Any, int8: Any, trained: Any, data: Any
) -> None:
    """Through eacf.inference: so many verdicts of each label are right, so few outliers get one."""
    assert dict(zip(built.bundle.labels, built.bundle.manifest.thresholds, strict=True)) == int8.thresholds
    model = inference.Model(built.bundle)
    flows = samples.joined([data.validation[way] for way in recipe.ways])
    said = [(verdict.label, label) for verdict, label in zip(model.verdicts(flows.samples), flows.labels, strict=True)]
    labelled = [pair for pair in said if pair[0]]
    assert labelled
    for label in built.bundle.labels:
        own = [right == label for given, right in labelled if given == label]
        assert not own or np.mean(own) >= recipe.precision
    rows = bundles.strangers(recipe, trained, flows)
    assert len(rows) == bundles.VALIDATION_OUTLIERS + len(flows.background())
    scores = calibrate.softmax(quantise.logits(int8.model, int8.quantisation, rows), built.bundle.manifest.temperature)
    passed = (scores[:, :-1].max(axis=1) >= np.array(list(int8.thresholds.values()))[scores[:, :-1].argmax(axis=1)]) & (
        scores.argmax(axis=1) < len(built.bundle.labels)
    )
    assert passed.mean() <= recipe.outliers_passed


def test_figures_are_of_the_bundle_as_it_is_written(recipe: Recipe, built: Any, int8: Any, data: Any) -> None:
    figures = built.bundle.manifest.document["figures"]
    assert figures["validation"] == int8.figures
    model = inference.load(built.file)
    for way in recipe.ways:
        flows = data.evaluation[way].known()
        assert figures["evaluation"][way] == evaluate.known(model, flows.samples, flows.labels)
        assert figures["background"][way] == evaluate.unknown(model, data.evaluation[way].background().samples)
        assert figures["evaluation"][way]["flows"] == len(flows)
    trees, mean = (figures["baselines"]["records"][name]["accuracy"] for name in ("extra_trees", "nearest_mean"))
    assert trees > mean > 1 / 8


def test_calibration_makes_the_log_loss_less(int8: Any, data: Any, recipe: Recipe) -> None:
    figures = int8.figures
    assert figures["flows"] == sum(len(data.validation[way]) for way in recipe.ways)
    assert figures["log_loss"] <= figures["log_loss_uncalibrated"]
    assert figures["same_class_as_float"] > 0.95


def test_same_class_counts(trained: Any) -> None:
    rows = trained.rows[:10]
    floats = networks.logits(trained.network, rows, trained.mu, trained.sd)
    assert bundles.same_class(trained, floats, rows) == 1.0
    floats[:3] = -floats[:3]
    assert bundles.same_class(trained, floats, rows) == 0.7


def test_the_papers_network_goes_the_same_way(data: Any, tmp_path: Path) -> None:
    """Its own features and no background; on 48 bytes and for one epoch it learns little, but a bundle it is."""
    short = replace(recipes.PAPER, name="short", len_bytes=48, epochs=1, flows_per_label=8)
    said: list[str] = []
    made = bundles.build(short, data, tmp_path / "out", tmp_path / "run", said.append)
    assert said[0] == "short: training 1 epochs"
    model = inference.load(tmp_path / "out" / "short.eacf")
    assert model.bundle.id == made.id
    assert not model.bundle.manifest.background
    assert model.bundle.features.shape == (48,)
    assert model.bundle.manifest.document["training"]["rows"] == 8 * 8
    rows = training.fitted(short, data.training["stream"], data.training["stream"], ()).encode(
        training.capped(data.training["stream"].known(), 8, np.random.default_rng(short.seed)).samples
    )
    entry = model.bundle.manifest.input
    assert entry.zero_point == round(float(rows.mean()))
    assert entry.scale == pytest.approx(1 / rows.std(), rel=1e-3)
    assert list(made.manifest.document["figures"]["evaluation"]) == ["stream"]


def test_outliers_raise_thresholds_and_nothing_else(recipe: Recipe, trained: Any, data: Any) -> None:
    flows = data.validation["records"]
    bounded = bundles.quantised(replace(recipe, outliers_passed=0.0), trained, flows)
    free = bundles.quantised(replace(recipe, outliers_passed=1.0), trained, flows)
    assert all(bounded.thresholds[label] >= free.thresholds[label] for label in trained.labels)
    assert min(bounded.thresholds.values()) > min(free.thresholds.values())
    assert (bounded.model, bounded.temperature) == (free.model, free.temperature)
