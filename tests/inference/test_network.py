"""What a model must be before it may answer: every bar is missed once, by a real model or by what a manifest says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from eacf import bundle
from eacf.bundle import Bundle
from eacf.errors import BundleError
from eacf.features import Paper, Shape
from eacf.inference import Model, network
from eacf.inference.network import MAX_BATCH

Write = Callable[..., Bundle]


def refused(made: Bundle) -> str:
    with pytest.raises(BundleError) as caught:
        Model(made)
    message = str(caught.value)
    assert message.startswith(f"{made.source}: model.tflite: ")
    assert message.endswith("; build the bundle again")
    return message


@pytest.mark.parametrize(
    ("end", "scale", "zero_point"),
    [("input", 1.0001, 0), ("input", 1, 1), ("output", 0.9, 0), ("output", 1, 1)],
)
def test_scales_must_be_those_of_the_manifest(write: Write, tiny: Any, end: str, scale: float, zero_point: int) -> None:
    quantisation = {key: dict(value) for key, value in tiny.manifest["quantisation"].items()}
    quantisation[end]["scale"] *= scale
    quantisation[end]["zero_point"] += zero_point
    message = refused(write({"quantisation": quantisation}))
    assert f"{end} has scale" in message
    assert f"manifest.quantisation.{end} says" in message


def test_shapes_must_be_those_of_the_manifest(write: Write) -> None:
    other = Shape([[0]], bins=4)
    assert "input has shape (-1, 8), the manifest says (any, 4)" in refused(write({"features": other.spec()}))
    fewer = {"labels": ["web"], "thresholds": {"web": 0.5}}
    assert "output has shape (-1, 3), the manifest says (any, 2)" in refused(write(fewer))
    assert "input has shape" in refused(write({"features": Paper(9).spec()}))


def test_only_full_integer_models(write: Write, variant: Callable[[str], Any]) -> None:
    assert "input is float32, must be uint8 (full integer quantisation)" in refused(write(of=variant("float")))


def test_rows_must_not_see_each_other(write: Write, variant: Callable[[str], Any]) -> None:
    assert "a row's answer depends on the rows beside it" in refused(write(of=variant("mixing")))


def test_golden_rows_are_held_against_what_comes(write: Write, tiny: Any) -> None:
    samples = np.zeros((2, 8), np.uint8)
    samples[0, [2, 6]] = samples[1, [1, 6]] = 255
    right = Model(write())._network.invoke(samples)
    Model(write({"golden": bundle.golden(samples, right, tolerance=0)}))
    wrong = right.astype(int)
    wrong[1, 2] += 3
    Model(write({"golden": bundle.golden(samples, wrong, tolerance=3)}))
    message = refused(write({"golden": bundle.golden(samples, wrong, tolerance=2)}))
    assert "is off by 3 on the rows of manifest.golden, allowed: 2" in message


def test_a_damaged_flatbuffer(write: Write, tiny: Any) -> None:
    damaged = tiny._replace(model=tiny.model[:200] + bytes(100) + tiny.model[300:])
    assert "cannot run it" in refused(write(of=damaged))
    assert "cannot run it" in refused(write(of=tiny._replace(model=tiny.model[:500])))


def test_absurd_tensors_are_refused_before_they_are_made(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "MAX_TENSOR_BYTES", 10)
    assert "at most 10 are allowed" in refused(write())


def test_rows_do_not_depend_on_the_batch(write: Write) -> None:
    tried = Model(write())._network
    rows = np.random.default_rng(1).integers(0, 256, (MAX_BATCH, 8), dtype=np.uint8)
    together = tried.invoke(rows)
    for count in (1, 5, 31, 5, 1, 32):
        assert np.array_equal(tried.invoke(rows[:count]), together[:count])
