"""A trained network as a full int8 TFLite file with uint8 input. One of the two modules that import TensorFlow.

The input's scale is 1/sd and its zero point mu, so that a worker copies feature bytes into it without arithmetic. The converter takes
both from the least and greatest byte of its calibration rows: a set without 0 and 255 gives another scale and every byte would be
misread, hence :func:`calibration_rows`, and a check of the result.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from eacf.inference.runtime import choose
from eacf_trainer.networks import Network, normalised

MAX_CALIBRATION_ROWS = 256
ROWS_AT_ONCE = 128
RELATIVE_ERROR = 1e-5
"""Of the input's scale: the converter computes in float32."""


class ExportError(RuntimeError):
    """The converter gave a model that would misread its input."""


@dataclass(frozen=True)
class Quantisation:
    """How integers of the model's ends relate to numbers: value = scale * (integer - zero_point)."""

    input_scale: float
    input_zero_point: int
    output_scale: float
    output_zero_point: int


def convert(network: Network, rows: NDArray[np.uint8], mu: int, sd: float) -> tuple[bytes, Quantisation]:
    """The model file (uint8 in, int8 logits out) and what its ends mean. `rows`: real ones, for the ranges inside.

    Raises ExportError if the input's scale or zero point is not what (byte - mu) / sd needs.
    """

    def representative() -> Iterator[list[NDArray[np.float32]]]:
        for row in calibration_rows(rows):
            yield [normalised(row[None], mu, sd)]

    converter: Any = tf.lite.TFLiteConverter.from_keras_model(network)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = representative
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.uint8
    converter.inference_output_type = tf.int8
    with warnings.catch_warnings(), redirect_stdout(StringIO()):
        # Keras prints the signature at length; the converter warns of statistics that only an older quantiser took.
        warnings.filterwarnings("ignore", "Statistics for quantized inputs", UserWarning)
        model: bytes = converter.convert()
    found = inspect(model)
    check_input(found, mu, sd)
    return model, found


def calibration_rows(rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """At most MAX_CALIBRATION_ROWS of `rows`, evenly taken, which together hold the bytes 0 and 255.

    Where they do not, the row that comes nearest gets them. A row of its own with all 256 values would do for the input, but
    no flow looks like it: it would stretch the ranges of all layers behind (on one-hot rows, int8 then agreed with float on 84 % only).
    """
    taken = rows[:: -(-len(rows) // MAX_CALIBRATION_ROWS)].copy()
    for extreme in (0, 255):
        distance = np.abs(taken.astype(np.int16) - extreme)
        taken[np.unravel_index(distance.argmin(), taken.shape)] = extreme
    return taken


def inspect(model: bytes) -> Quantisation:
    """What the ends of a TFLite file mean. Raises ExportError unless it is uint8 in, int8 out."""
    interpreter = choose().interpreter(model_content=model)
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    if (source["dtype"], target["dtype"]) != (np.uint8, np.int8):
        raise ExportError(
            f"model takes {source['dtype'].__name__} and gives {target['dtype'].__name__}; uint8 and int8 needed"
        )
    (in_scale, in_zero), (out_scale, out_zero) = source["quantization"], target["quantization"]
    return Quantisation(float(in_scale), int(in_zero), float(out_scale), int(out_zero))


def check_input(found: Quantisation, mu: int, sd: float) -> None:
    """Raise ExportError unless a byte b means (b - mu) / sd to the model."""
    if found.input_zero_point != mu or abs(found.input_scale * sd - 1) > RELATIVE_ERROR:
        raise ExportError(
            f"input scale {found.input_scale!r} and zero point {found.input_zero_point}, needed 1/{sd!r} and {mu}: "
            "the calibration rows do not span all byte values"
        )


def floating(network: Network) -> bytes:
    """The network as a float32 TFLite file: what int8 is measured against."""
    converter: Any = tf.lite.TFLiteConverter.from_keras_model(network)
    with redirect_stdout(StringIO()):
        model: bytes = converter.convert()
    return model


def runner(model: bytes, rows: NDArray[Any]) -> Callable[[], None]:
    """A call that runs the file on these rows, on one thread."""
    interpreter = choose().interpreter(model_content=model, num_threads=1)
    source = interpreter.get_input_details()[0]["index"]
    interpreter.resize_tensor_input(source, rows.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(source, rows)
    run: Callable[[], None] = interpreter.invoke
    return run


def outputs(model: bytes, rows: NDArray[np.uint8]) -> NDArray[np.int8]:
    """(n, outputs) integers that the file gives for `rows`; LiteRT gives the same."""
    interpreter = choose().interpreter(model_content=model, num_threads=1)
    source, target = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    given = []
    for begin in range(0, len(rows), ROWS_AT_ONCE):
        part = rows[begin : begin + ROWS_AT_ONCE]
        interpreter.resize_tensor_input(source, part.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(source, part)
        interpreter.invoke()
        given.append(interpreter.get_tensor(target))
    return np.concatenate(given)


def logits(model: bytes, found: Quantisation, rows: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(n, outputs) of the quantised model, as numbers."""
    integers = outputs(model, rows).astype(np.int32) - found.output_zero_point
    return (integers * np.float32(found.output_scale)).astype(np.float32)
