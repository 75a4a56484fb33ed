"""The model of a run: trained on everything, quantised, calibrated by the folds that did not see the flows, and put into a bundle."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from eacf import bundle, files
from eacf.bundle import Bundle
from eacf_trainer import judge, networks, quantise, runs, trained
from eacf_trainer.bank import Bank
from eacf_trainer.calibrate import Calibration, calibrate
from eacf_trainer.protocol import Bench
from eacf_trainer.trained import Trained

if TYPE_CHECKING:
    from eacf_trainer.fit import Asked, Told

GOLDEN_ROWS = 4
DIGITS = 6
TIMED_ROWS = 32
TIMES = 200


def model(folder: runs.Folder, bench: Bench, told: Told, asked: Asked, say: Callable[[str], None]) -> Bundle:
    """Train on everything and write weights, features, ranges, figures and the bundle."""
    seed = asked.seeds[0]
    made = trained.train(
        bench.recipe, Bank.open(Path(bench.bank), bench.recipe.input.cuts), bench.final(), seed, say=say
    )
    held = calibrating(bench, told)
    found = calibrate(held["logits"], held["wanted"], held["weights"], bench.outputs, bench.recipe.verdicts)
    save(folder, made, found)
    files.replace(folder.path / "calibrating.npz", archive(held))
    document = manifest(folder, bench, made, found, asked)
    figures = told.figures() if asked.judged else {}
    figures["model"] = cost(made)
    folder.write("figures", figures)
    written = bundle.write(
        folder.path / f"{bench.recipe.name}.eacf", document | {"figures": short(figures, bench)}, made.model
    )
    folder.done(written.id)
    folder.log(f"bundle {written.id}")
    return written


def calibrating(bench: Bench, told: Told) -> dict[str, Any]:
    """What calibrates the final model: what each fold's model said of the flows that it had not seen."""
    first = told.plan.judged[bench.recipe.split.by][0]
    places, logits = judge.pooled([(fold.outer.judged, told.answers[fold.outer.name].logits) for fold in first.folds])
    weights = judge.capture_weights(bench.flows.copies[places], bench.wanted[places])
    return {"logits": logits, "wanted": bench.wanted[places], "weights": weights, "labels": np.array(bench.outputs)}


def save(folder: runs.Folder, made: Trained, found: Calibration) -> None:
    """What another run needs to go on from this model, or to quantise it again: float weights, features, ranges, calibration."""
    arrays: dict[str, Any] = dict(networks.weights(made.network))
    files.replace(folder.path / "weights.npz", archive(arrays))
    files.replace(folder.path / "ranges.npz", archive({"rows": made.ranges}))
    folder.write("features", made.features.spec())
    folder.write(
        "calibration",
        {
            "slope": found.slope,
            "offset": found.offset,
            "known": found.known.tolist(),
            "thresholds": found.thresholds.tolist(),
            "mu": made.mu,
            "sd": made.sd,
        },
    )


def archive(arrays: dict[str, Any]) -> bytes:
    """An .npz whose bytes follow from the arrays (zip entries are dated 1980)."""
    held = io.BytesIO()
    np.savez(held, **arrays)
    return held.getvalue()


def manifest(folder: runs.Folder, bench: Bench, made: Trained, found: Calibration, asked: Asked) -> dict[str, Any]:
    """Without figures."""
    recipe, flows = bench.recipe, bench.flows
    step = max(1, len(made.ranges) // GOLDEN_ROWS)
    golden = made.ranges[::step][:GOLDEN_ROWS]
    ends = made.quantisation
    return {
        "name": recipe.name,
        "version": recipe.version,
        "created": runs.created(),
        "labels": list(flows.labels),
        "background": made.background,
        "features": made.features.spec(),
        "label_map": asked.rules.bundle_rules(sorted(set(flows.server_names)), flows.labels),
        **verdict_rules(flows.labels, found),
        "quantisation": {
            "input": {"scale": ends.input_scale, "zero_point": ends.input_zero_point},
            "output": {"scale": ends.output_scale, "zero_point": ends.output_zero_point},
        },
        "training": {
            "dataset": runs.read(folder.path / "dataset.json"),
            "label_map": asked.rules.summary,
            "recipe": recipe.document(),
            "seed": asked.seeds[0],
        },
        "libraries": runs.versions(),
        "golden": bundle.golden(golden, quantise.outputs(made.model, golden)),
    }


def verdict_rules(labels: Sequence[str], found: Calibration) -> dict[str, Any]:
    """The part of a manifest that says when a label is said."""
    known, thresholds = (
        {label: round(number, DIGITS) for label, number in zip(labels, numbers.tolist(), strict=True)}
        for numbers in (found.known, found.thresholds)
    )
    return {
        "calibration": {"temperature": 1.0, "slope": found.slope, "offset": found.offset, "known": known},
        "thresholds": thresholds,
    }


def short(figures: dict[str, Any], bench: Bench) -> dict[str, Any]:
    """What of the figures goes into the bundle: what one asks about a model, not every flow and curve."""
    kept: dict[str, Any] = {"model": {key: figures["model"][key] for key in ("size_kb", "parameters")}}
    for name in (bench.recipe.split.by, *bench.recipe.split.beside):
        if name in figures:
            told = figures[name]
            kept[name] = {
                **{key: told[key] for key in ("flows", "accuracy", "macro_f1", "calibration_error")},
                "coverage_at_95": told["coverage"]["at_95"],
                "coverage": told["thresholds"]["coverage"],
                "accuracy_said": told["thresholds"]["accuracy"],
                "labels": told["labels"],
            }
    if figures.get("openset", {}).get("labels"):  # none where no unknown flow was judged
        told = figures["openset"]
        flows = sum(label["flows"] for label in told["labels"].values())
        said = sum(label["flows"] * label["said"] for label in told["labels"].values())
        kept["openset"] = {**{key: told[key] for key in ("auroc", "refused_at_5")}, "said": round(said / flows, DIGITS)}
    plain: dict[str, Any] = json.loads(json.dumps(kept))
    return plain


def cost(made: Trained) -> dict[str, Any]:
    """Size, and time a flow at a batch of 32 on one thread (the least of several, int8 and float in turn)."""
    rows = np.resize(made.ranges, (TIMED_ROWS, made.ranges.shape[1]))
    floats = quantise.floating(made.network)
    needs = made.features.needs
    times = timed(made.model, floats, rows, networks.normalised(rows, made.mu, made.sd))
    return {
        "size_kb": round(len(made.model) / 1000, 1),
        "parameters": int(made.network.count_params()),
        "us_per_flow_int8": times[0],
        "us_per_flow_float32": times[1],
        "needs": {
            "payload_bytes": needs.payload_bytes,
            "window_bytes": needs.window_bytes,
            "records": needs.records,
            "chunks": needs.chunks,
        },
    }


def timed(int8: bytes, floats: bytes, rows: NDArray[np.uint8], inputs: NDArray[np.float32]) -> tuple[float, float]:
    """Microseconds a row of both models, interleaved, the least of TIMES."""
    runners = [quantise.runner(int8, rows), quantise.runner(floats, inputs)]
    best = [float("inf"), float("inf")]
    for _ in range(TIMES):
        for number, run in enumerate(runners):
            begun = time.perf_counter()
            run()
            best[number] = min(best[number], time.perf_counter() - begun)
    first, second = (round(each / len(rows) * 1e6, 2) for each in best)
    return first, second
