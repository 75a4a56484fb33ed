from __future__ import annotations

import random
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eacf import bundle, inference
from eacf.bundle import Bundle
from eacf.errors import BundleError, SettingError
from eacf.flow import Sample
from eacf.inference import MAX_BATCH, Model
from eacf.verdict import Verdict

Write = Callable[..., Bundle]
Make = Callable[..., Sample]


def softmax(logits: Any) -> Any:
    terms = np.exp(np.array(logits, float))
    return terms / terms.sum()


def test_labels_and_probabilities(write: Write, sample: Make) -> None:
    model = Model(write())
    web, mail = model.verdicts([sample(500), sample(-500, uid="C2", server_name="www.example.com")])
    sure = softmax([6, 0, 0])[0]
    assert web == Verdict("C1", "web", pytest.approx(sure, abs=0.01), model.bundle.id, None, None)
    assert mail == Verdict("C2", "mail", pytest.approx(sure, abs=0.01), model.bundle.id, None, "web")


def test_below_the_threshold_the_best_probability_is_told(write: Write, sample: Make) -> None:
    model = Model(write())
    (verdict,) = model.verdicts([sample(500, -5)])
    assert (verdict.label, verdict.reason) == (None, "abstained")
    assert verdict.confidence == pytest.approx(softmax([1, -5, 0])[0], abs=0.05)
    easy = Model(write({"thresholds": {"web": 0.5, "mail": 1.0}}))
    assert [each.label for each in easy.verdicts([sample(500, -5), sample(-500)])] == ["web", None]


def test_background_is_never_a_label(write: Write, sample: Make) -> None:
    model = Model(write({"thresholds": {"web": 0, "mail": 0}}))
    (verdict,) = model.verdicts([sample(2000)])
    assert (verdict.label, verdict.reason) == (None, "abstained")
    assert verdict.confidence == pytest.approx(softmax([6, 0, 0])[1], abs=0.01)
    assert model.scores([sample(2000)])[0, 2] > 0.98


def test_without_a_background_every_output_is_a_label(write: Write, sample: Make) -> None:
    labels = ["web", "mail", "chat"]
    model = Model(write({"labels": labels, "background": False, "thresholds": dict.fromkeys(labels, 0.5)}))
    assert [each.label for each in model.verdicts([sample(500), sample(-500), sample(2000)])] == labels


def test_temperature_divides_the_logits(write: Write, sample: Make) -> None:
    model = Model(write({"calibration": {"temperature": 3.0}}))
    assert model.scores([sample(500)])[0] == pytest.approx(softmax([2, 0, 0]), abs=0.01)


@pytest.mark.parametrize("answer", ["int8", "uint8"])
def test_scores_are_softmax_of_dequantised_logits(write: Write, sample: Make, variant: Any, answer: str) -> None:
    of = variant(answer)
    model = Model(write(of=of))
    samples = [sample(*records) for records in ((500,), (-500,), (2000,), (500, -5), (-500, -5), (1,) * 9)]
    rows = model.bundle.features.encode(samples)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        interpreter = pytest.importorskip("tensorflow").lite.Interpreter(model_content=of.model)
    entry, end = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    scale, zero_point = end["quantization"]
    scores = model.scores(samples)
    assert scores.dtype == np.float32
    interpreter.allocate_tensors()
    for number in range(len(samples)):
        interpreter.set_tensor(entry["index"], rows[number : number + 1])
        interpreter.invoke()
        logits = (interpreter.get_tensor(end["index"])[0].astype(float) - zero_point) * scale
        assert scores[number] == pytest.approx(softmax(logits), abs=1e-6)


def test_any_number_of_samples_in_their_order(write: Write, sample: Make) -> None:
    model = Model(write())
    order = random.Random(5)
    for count in (0, 1, 2, MAX_BATCH, MAX_BATCH + 1, 100, 1):
        records = [order.choice([500, -500, 2000]) for _ in range(count)]
        verdicts = model.verdicts([sample(each, uid=f"C{number}") for number, each in enumerate(records)])
        assert [each.uid for each in verdicts] == [f"C{number}" for number in range(count)]
        assert [each.label for each in verdicts] == [{500: "web", -500: "mail", 2000: None}[each] for each in records]
        assert model.scores([sample(each) for each in records]).shape == (count, 3)


def test_a_sample_that_lacks_what_is_needed_is_refused_in_its_place(write: Write, sample: Make) -> None:
    model = Model(write())
    lacking = sample(uid="C9", server_name="a.example.com")
    verdicts = model.verdicts([lacking, sample(500), sample(500), lacking])
    refused = Verdict("C9", None, 0.0, model.bundle.id, "refused", "web")
    assert [verdicts[0], verdicts[3]] == [refused, refused]
    assert [each.label for each in verdicts[1:3]] == ["web", "web"]
    assert model.verdicts([lacking]) == [refused]


def test_a_sample_of_the_stream_serves_as_well(write: Write, sample: Make) -> None:
    (verdict,) = Model(write()).verdicts([sample(500, 60, -70, payload=b"x" * 3000)])
    assert verdict.label == "web"


def test_loaded_from_a_file_that_is_then_overwritten(write: Write, sample: Make, tmp_path: Path) -> None:
    write()
    model = inference.load(tmp_path / "tiny.eacf")
    (tmp_path / "tiny.eacf").write_bytes(b"\0" * 10)
    assert model.verdicts([sample(500)])[0].label == "web"
    assert model.runtime.split()[0] in ("ai-edge-litert", "tflite-runtime", "tensorflow")
    with pytest.raises(BundleError, match="the file ends before it"):
        inference.load(tmp_path / "tiny.eacf")


def test_threads(write: Write, sample: Make) -> None:
    assert Model(write(), threads=2).verdicts([sample(500)])[0].label == "web"
    with pytest.raises(SettingError, match="threads is 0; allowed: 1 or more"):
        Model(write(), threads=0)


def test_the_shipped_bundle_serves(sample: Make) -> None:
    if not bundle.default_path().exists():
        pytest.skip(f"{bundle.default_path()} is not there: `make bundles` makes it")
    model = inference.load(bundle.default_path())
    assert model.bundle.needs.records_only
    (verdict,) = model.verdicts([sample(500, -1400, -1400, 60)])
    assert verdict.label in (*model.bundle.labels, None)
    assert 0 <= verdict.confidence <= 1


def test_slope_and_offset_move_the_confidence_and_nothing_else(write: Write, sample: Make) -> None:
    samples = [sample(500), sample(-500)]
    plain = Model(write({"calibration": {"temperature": 3.0}}))
    calibration = {"temperature": 3.0, "slope": 0.5, "offset": -1.0, "known": dict.fromkeys(plain.bundle.labels, 0.0)}
    moved = Model(write({"calibration": calibration}))
    assert np.array_equal(plain.scores(samples), moved.scores(samples))
    for verdict, probability in zip(moved.verdicts(samples), plain.scores(samples).max(axis=1), strict=True):
        logit = np.log(probability / (1 - probability))
        assert verdict.confidence == pytest.approx(1 / (1 + np.exp(-(0.5 * logit - 1))))


def test_a_flow_that_is_taken_for_unknown_gets_no_label(write: Write, sample: Make) -> None:
    samples = [sample(500), sample(-500), sample(2000)]
    free = Model(write())
    labels = free.bundle.labels
    assert free.bundle.manifest.background
    rest = 1 - free.scores(samples)[:, -1]
    first = free.scores(samples)[0, :-1].argmax()
    for margin, said in ((-0.001, labels[first]), (0.001, None)):
        known = {label: float(rest[0] + margin) if label == labels[first] else 0.0 for label in labels}
        calibration = {"temperature": 1.0, "slope": 1.0, "offset": 0.0, "known": known}
        model = Model(write({"calibration": calibration, "thresholds": dict.fromkeys(labels, 0.0)}))
        assert model.verdicts(samples)[0].label == said
