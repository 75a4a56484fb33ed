"""Figures of a bundle whose answers can be foretold: a first record below 0 is "mail", up to 999 "web", beyond that background."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eacf import bundle
from eacf.features import Shape
from eacf.flow import Sample
from eacf.inference import Model
from eacf_trainer import evaluate
from eacf_trainer.training import bare

FEATURES = Shape([[0, 1000], [0]], bins=4)
SURE = 1 / (1 + 2 * np.exp(-6))
"""Confidence with one logit of 6 and two of 0."""


@pytest.fixture
def model(told: Any, tmp_path: Path) -> Model:
    """Never says "mail", whose threshold is 1."""
    found = told.quantisation
    manifest = {
        "name": "told",
        "version": "1",
        "created": "2025-01-31T12:00:00Z",
        "labels": ["web", "mail"],
        "background": True,
        "features": FEATURES.spec(),
        "label_map": {},
        "calibration": {"temperature": 1.0},
        "thresholds": {"web": 0.9, "mail": 1.0},
        "quantisation": {
            "input": {"scale": found.input_scale, "zero_point": found.input_zero_point},
            "output": {"scale": found.output_scale, "zero_point": found.output_zero_point},
        },
        "training": {},
        "figures": {},
        "libraries": {},
    }
    return Model(bundle.write(tmp_path / "told.eacf", manifest, told.model))


WEB, MAIL, STRANGE, NOTHING = bare([100]), bare([-100]), bare([5000]), bare([])


def test_figures_of_known_flows(model: Model) -> None:
    samples: list[Sample] = [WEB] * 6 + [MAIL] * 3 + [NOTHING]
    figures = evaluate.known(model, samples, ["web"] * 5 + ["mail"] * 4 + ["web"])
    assert {key: value for key, value in figures.items() if key not in ("labels", "calibration_error", "macro_f1")} == {
        "flows": 10,
        "accuracy": 0.9,  # the empty flow's best label is the first: web
        "coverage": 0.6,
        "abstained": 0.3,
        "refused": 0.1,
        "accuracy_covered": round(5 / 6, 4),
    }
    assert figures["macro_f1"] == pytest.approx((12 / 13 + 6 / 7) / 2, abs=1e-4)
    labels: Any = figures["labels"]
    assert labels["web"] == {"flows": 6, "precision": 0.8571, "recall": 1.0, "f1": 0.9231, "coverage": 0.8333}
    assert labels["mail"] == {"flows": 4, "precision": 1.0, "recall": 0.75, "f1": 0.8571, "coverage": 0.25}


def test_what_is_said_of_unknown_flows_is_counted_by_label(model: Model) -> None:
    figures = evaluate.unknown(model, [WEB, STRANGE, MAIL, WEB, NOTHING])
    assert figures == {"flows": 5, "abstained": 0.4, "refused": 0.2, "said": {"web": 2}}


def test_no_flows_are_no_error(model: Model) -> None:
    assert evaluate.unknown(model, []) == {"flows": 0, "abstained": 0.0, "refused": 0.0, "said": {}}


def test_calibration_error_is_the_distance_of_confidence_and_accuracy() -> None:
    truth = np.array([0] * 7 + [1] * 3)
    assert evaluate.calibration_error(np.tile([0.7, 0.3], (10, 1)), truth) == pytest.approx(
        (7 * 0.3 + 3 * 0.7) / 10  # ten bins of one row each
    )
    many, wanted = np.tile([0.7, 0.3], (1000, 1)), np.tile(truth, 100)
    assert evaluate.calibration_error(many, wanted) == pytest.approx(0.0, abs=1e-9)
    assert evaluate.calibration_error(np.tile([0.9, 0.1], (1000, 1)), wanted) == pytest.approx(0.2)


def test_confidence_comes_through_int8(model: Model) -> None:
    assert model.verdicts([WEB])[0].confidence == pytest.approx(SURE, abs=0.002)
