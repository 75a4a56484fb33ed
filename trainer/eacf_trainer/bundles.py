"""From samples to a bundle and its run folder: train, quantise, calibrate, measure, write."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eacf import bundle, inference
from eacf.bundle import Bundle
from eacf_trainer import baselines, calibrate, evaluate, networks, quantise, runs, training
from eacf_trainer.config import Recipe, Way
from eacf_trainer.quantise import Quantisation
from eacf_trainer.samples import Labelled, joined
from eacf_trainer.training import Trained

GOLDEN_ROWS = 4
VALIDATION_OUTLIERS = 4000


@dataclass(frozen=True)
class Data:
    """Samples of each purpose, by cut. Background traffic is among them, without labels."""

    training: Mapping[Way, Labelled]
    validation: Mapping[Way, Labelled]
    evaluation: Mapping[Way, Labelled]
    label_map: Mapping[str, str]
    summary: Mapping[str, Any]
    """What the manifest says of the captures."""


@dataclass(frozen=True)
class Int8:
    """A quantised model and when it may speak."""

    model: bytes
    quantisation: Quantisation
    temperature: float
    thresholds: dict[str, float]
    figures: dict[str, Any]
    """Of the validation captures."""


def build(recipe: Recipe, data: Data, out: Path, run: Path, say: networks.Say) -> Bundle:
    """Build ``out/<name>.eacf``, whose figures are its own, and the run folder `run`."""
    say(f"{recipe.name}: training {recipe.epochs} epochs")
    trained = training.train(recipe, joined([data.training[way] for way in recipe.ways]), say)
    say(f"{recipe.name}: quantising and calibrating")
    int8 = quantised(recipe, trained, joined([data.validation[way] for way in recipe.ways]))
    manifest = described(recipe, trained, int8, data)
    say(f"{recipe.name}: measuring on the evaluation captures")
    with tempfile.TemporaryDirectory() as folder:
        unmeasured = bundle.write(Path(folder) / "unmeasured.eacf", manifest, int8.model)
    figures = measured(recipe, trained, int8, unmeasured, data)
    out.mkdir(parents=True, exist_ok=True)
    written = bundle.write(out / f"{recipe.name}.eacf", manifest | {"figures": figures}, int8.model)
    runs.write(run, recipe, data.summary, trained, figures, written.id)
    return written


def quantised(recipe: Recipe, trained: Trained, validation: Labelled) -> Int8:
    """Full int8; temperature and thresholds from its own logits on validation captures."""
    model, found = quantise.convert(trained.network, trained.rows, trained.mu, trained.sd)
    flows = validation if trained.background else validation.known()
    rows, wanted = trained.features.encode(flows.samples), training.numbered(flows, trained.labels)
    logits = quantise.logits(model, found, rows)
    temperature = calibrate.temperature(logits, wanted)
    figures: dict[str, Any] = {
        "flows": len(flows),
        "log_loss_uncalibrated": evaluate.rounded(calibrate.log_loss(logits, wanted)),
        "log_loss": evaluate.rounded(calibrate.log_loss(logits, wanted, temperature)),
        "same_class_as_float": same_class(trained, logits, rows),
    }
    strange = None
    if trained.background:
        strange = calibrate.softmax(quantise.logits(model, found, strangers(recipe, trained, flows)), temperature)
    thresholds = calibrate.thresholds(
        calibrate.softmax(logits, temperature),
        wanted,
        trained.labels,
        recipe.precision,
        outlier_scores=strange,
        outliers_passed=recipe.outliers_passed,
    )
    return Int8(model, found, temperature, thresholds, figures)


def strangers(recipe: Recipe, trained: Trained, flows: Labelled) -> NDArray[np.uint8]:
    """Rows of validation outliers: background traffic, and as many made-up ones as bound the thresholds."""
    rng = np.random.default_rng((recipe.seed, 1 << 33))
    records = [sample.records for sample in flows.known().samples]
    made = training.made_up(trained.features, records, VALIDATION_OUTLIERS, recipe.records, rng)
    return np.concatenate([made, trained.features.encode(flows.background().samples)])


def same_class(trained: Trained, logits: NDArray[np.float32], rows: NDArray[np.uint8]) -> float:
    """Share of `rows` that int8 puts where the float network does."""
    floats = networks.logits(trained.network, rows, trained.mu, trained.sd)
    return evaluate.share(int((floats.argmax(axis=1) == logits.argmax(axis=1)).sum()), len(rows))


def described(recipe: Recipe, trained: Trained, int8: Int8, data: Data) -> dict[str, Any]:
    """The manifest, without figures."""
    step = max(1, len(trained.rows) // GOLDEN_ROWS)
    golden = trained.rows[::step][:GOLDEN_ROWS]
    found = int8.quantisation
    return {
        "name": recipe.name,
        "version": recipe.version,
        "created": runs.created(),
        "labels": list(trained.labels),
        "background": trained.background,
        "features": trained.features.spec(),
        "label_map": dict(data.label_map),
        "calibration": {"temperature": int8.temperature},
        "thresholds": int8.thresholds,
        "quantisation": {
            "input": {"scale": found.input_scale, "zero_point": found.input_zero_point},
            "output": {"scale": found.output_scale, "zero_point": found.output_zero_point},
        },
        "training": {**data.summary, "recipe": runs.plain(recipe), "rows": len(trained.rows)},
        "figures": {},
        "libraries": runs.versions(),
        "golden": bundle.golden(golden, quantise.outputs(int8.model, golden)),
    }


def measured(recipe: Recipe, trained: Trained, int8: Int8, written: Bundle, data: Data) -> dict[str, Any]:
    """Figures of the written bundle on the evaluation captures, through eacf.inference; baselines beside it."""
    model = inference.Model(written)
    figures: dict[str, Any] = {"validation": int8.figures, "evaluation": {}, "background": {}, "baselines": {}}
    for way in recipe.ways:
        flows = data.evaluation[way].known()
        figures["evaluation"][way] = evaluate.known(model, flows.samples, [str(label) for label in flows.labels])
        figures["background"][way] = evaluate.unknown(model, data.evaluation[way].background().samples)
        rows, wanted = trained.features.encode(flows.samples), training.numbered(flows, trained.labels)
        figures["baselines"][way] = baselines.figures(trained.rows, trained.wanted, rows, wanted, recipe.seed)
    return figures
