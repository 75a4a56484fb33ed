from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from eacf_trainer import networks, quantise
from eacf_trainer.quantise import ExportError, Quantisation


def test_bytes_go_in_as_they_are(told: Any) -> None:
    assert told.quantisation.input_zero_point == 0
    assert told.quantisation.input_scale == pytest.approx(1 / 255, rel=1e-5)
    logits = quantise.logits(told.model, told.quantisation, told.rows)
    wanted = np.zeros((8, 3))
    wanted[2, 0] = wanted[1, 1] = wanted[3, 2] = 6
    assert logits == pytest.approx(wanted, abs=0.05)


def test_integers_are_what_logits_come_from(told: Any) -> None:
    found, integers = told.quantisation, quantise.outputs(told.model, told.rows)
    assert integers.dtype == np.int8
    assert quantise.logits(told.model, found, told.rows) == pytest.approx(
        found.output_scale * (integers.astype(float) - found.output_zero_point)
    )


def test_more_rows_than_go_at_once(told: Any) -> None:
    order = np.random.default_rng(1).integers(0, 8, 2 * quantise.ROWS_AT_ONCE + 3)
    many = quantise.outputs(told.model, told.rows[order])
    assert (many == quantise.outputs(told.model, told.rows)[order]).all()


def test_a_network_on_normalised_bytes_says_the_same_in_int8() -> None:
    """mu and sd as the paper's; the input's scale is 1/sd and its zero point mu."""
    networks.deterministic(3)
    network = networks.dense(64, (32,), 4, 0.0)
    rows = np.random.default_rng(1).integers(0, 256, (500, 64), dtype=np.uint8)
    model, found = quantise.convert(network, rows, 131, 72.5)
    assert found.input_zero_point == 131
    assert found.input_scale == pytest.approx(1 / 72.5, rel=1e-5)
    floats = networks.logits(network, rows, 131, 72.5)
    integers = quantise.logits(model, found, rows)
    assert np.abs(floats - integers).max() < 0.05 * np.ptp(floats)
    assert (floats.argmax(axis=1) == integers.argmax(axis=1)).mean() > 0.95
    again, _ = quantise.convert(network, rows, 131, 72.5)
    assert again == model


def test_a_convolution_is_quantised_too() -> None:
    networks.deterministic(3)
    network = networks.paper_cnn(16, 3)
    rows = np.random.default_rng(1).integers(0, 256, (100, 16), dtype=np.uint8)
    model, found = quantise.convert(network, rows, 127, 74.0)
    floats, integers = networks.logits(network, rows, 127, 74.0), quantise.logits(model, found, rows)
    assert np.abs(floats - integers).max() < 0.1 * np.ptp(floats)


@given(arrays.arrays(np.uint8, st.tuples(st.integers(1, 600), st.integers(2, 5))))
def test_calibration_rows_span_all_bytes_and_change_two_at_most(rows: np.ndarray) -> None:
    before = rows.copy()
    taken = quantise.calibration_rows(rows)
    assert (rows == before).all()
    assert 1 <= len(taken) <= quantise.MAX_CALIBRATION_ROWS
    assert taken.min() == 0
    assert taken.max() == 255
    step = -(-len(rows) // quantise.MAX_CALIBRATION_ROWS)
    assert (taken != rows[::step]).sum() <= 2


@pytest.mark.parametrize(("mu", "sd"), [(1, 255.0), (0, 254.9), (0, 255.1)])
def test_an_input_that_would_be_misread_is_refused(told: Any, mu: int, sd: float) -> None:
    quantise.check_input(told.quantisation, 0, 255.0)
    with pytest.raises(ExportError, match=rf"input scale 0\.0039.* and zero point 0, needed 1/{sd} and {mu}:"):
        quantise.check_input(told.quantisation, mu, sd)


def test_a_scale_may_be_off_by_float32_only(told: Any) -> None:
    quantise.check_input(replace(told.quantisation, input_scale=float(np.float32(1 / 255))), 0, 255.0)
    with pytest.raises(ExportError, match="do not span"):
        quantise.check_input(Quantisation(1 / 255 * 1.0001, 0, 1.0, 0), 0, 255.0)


def test_a_model_that_is_not_quantised_is_refused(told: Any) -> None:
    import tensorflow as tf

    with pytest.raises(ExportError, match="model takes float32 and gives float32; uint8 and int8 needed"):
        quantise.inspect(tf.lite.TFLiteConverter.from_keras_model(told.network).convert())


def test_the_float_file_is_the_network(told: Any) -> None:
    from eacf.inference.runtime import choose

    floats = quantise.floating(told.network)
    interpreter = choose().interpreter(model_content=floats)
    source, target = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    interpreter.resize_tensor_input(source, (8, 8))
    interpreter.allocate_tensors()
    interpreter.set_tensor(source, networks.normalised(told.rows, 0, 255.0))
    interpreter.invoke()
    assert interpreter.get_tensor(target) == pytest.approx(networks.logits(told.network, told.rows, 0, 255.0))
    quantise.runner(floats, networks.normalised(told.rows, 0, 255.0))()
    quantise.runner(told.model, told.rows)()
