"""What a bundle is worth on a dataset, by what it says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from eacf.inference import Model
from eacf.labels import LabelRules
from eacf_trainer import evaluate
from eacf_trainer.dataset import Dataset


@pytest.fixture(scope="module")
def model(run: Any) -> Model:
    return Model(run.made)


def test_figures_are_of_its_own_verdicts(model: Model, site: Dataset, rules: LabelRules) -> None:
    document = evaluate.on_dataset(model, site, rules.label)
    rows = site.table(["cut"]).column("cut").to_pylist()
    wanted = [row for row, cut in enumerate(rows) if cut == "records"]
    samples = [sample for _, some in site.samples(np.array(wanted)) for sample in some]
    named = [sample for sample in samples if sample.server_name is not None]
    verdicts = model.verdicts(named)
    assert (document["bundle"], document["dataset"], document["cut"]) == (model.bundle.id, site.id, "records")
    assert document["unnamed"] == len(samples) - len(named)
    assert document["flows"] + document["refused"] == len(named)
    pairs = [(rules.label(sample.server_name), verdict.label) for sample, verdict in zip(named, verdicts, strict=True)]
    known = [(truth, said) for truth, said in pairs if truth in model.bundle.labels]
    strange = [said for truth, said in pairs if truth not in model.bundle.labels]
    spoken = [(truth, said) for truth, said in known if said is not None]
    assert document["known"]["flows"] == len(known)
    assert document["known"]["thresholds"]["coverage"] == pytest.approx(len(spoken) / len(known), abs=1e-3)
    right = sum(truth == said for truth, said in spoken)
    assert document["known"]["thresholds"]["accuracy"] == pytest.approx(right / len(spoken), abs=1e-3)
    assert document["unknown"]["flows"] == len(strange)
    assert sum(document["unknown"]["said"].values()) == sum(said is not None for said in strange)
    assert document["unknown"]["silent"] == pytest.approx(strange.count(None) / len(strange), abs=1e-3)
    assert set(document["openset"]) == {"auroc", "refused_at_5"}


def test_rules_that_know_none_of_its_labels(model: Model, site: Dataset) -> None:
    document = evaluate.on_dataset(model, site, lambda name: None)
    assert "known" not in document
    assert "openset" not in document
    assert document["unknown"]["flows"] == document["flows"]
    one = evaluate.on_dataset(model, site, lambda name: model.bundle.labels[0])
    assert "unknown" not in one
    assert one["known"]["flows"] == one["flows"]


def test_the_cut_is_the_one_that_a_sensor_would_send(model: Model) -> None:
    assert evaluate.cut_of(model) == "records"
