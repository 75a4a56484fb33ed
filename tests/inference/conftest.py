"""A tiny int8 model whose answers can be foretold: what it says follows from the first record alone.

Bins of the first record: below 0, 0 to 999, 1000 and more; logits: "mail", "web" and background in turn, `LOGIT`
each. A second record below 0 takes most of the weight of "web" and "mail" away.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from eacf import bundle
from eacf.bundle import Bundle
from eacf.features import Shape
from eacf.flow import Chunk, Sample

FEATURES = Shape([[0, 1000], [0]], bins=4)
LABELS = ("web", "mail")
LOGIT, LESS = 6.0, -5.0


class Tiny(NamedTuple):
    """The model, and the manifest that fits it."""

    model: bytes
    manifest: dict[str, Any]


def convert(answer: str) -> bytes:
    """int8 or uint8 logits, "float" for a network not quantised, "mixing" for one whose rows see each other."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    tf = pytest.importorskip(
        "tensorflow", reason="tests of inference make their model with TensorFlow: pip install .[test,trainer]"
    )
    import keras

    inputs = keras.Input((8,))
    dense = keras.layers.Dense(3)
    logits = dense(inputs)
    if answer == "mixing":
        logits = logits - keras.ops.max(logits, axis=0, keepdims=True)
    network = keras.Model(inputs, logits)
    kernel = np.zeros((8, 3), np.float32)
    kernel[2, 0] = kernel[1, 1] = kernel[3, 2] = LOGIT
    kernel[5, 0] = kernel[5, 1] = LESS
    dense.set_weights([kernel, np.zeros(3, np.float32)])
    rows = np.eye(8, dtype=np.float32)
    rows = np.concatenate([rows, rows[1:4] + rows[5], np.linspace(0, 1, 8, dtype=np.float32)[None]])
    converter = tf.lite.TFLiteConverter.from_keras_model(network)
    if answer != "float":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([row[None]] for row in rows)
        converter.inference_input_type = tf.uint8
        converter.inference_output_type = tf.uint8 if answer == "uint8" else tf.int8
    model: bytes = converter.convert()
    return model


def describe(model: bytes) -> dict[str, Any]:
    """A manifest for `model`, its scales read by TensorFlow, not by what is tested."""
    import tensorflow as tf

    network = tf.lite.Interpreter(model_content=model)
    ends = {"input": network.get_input_details()[0], "output": network.get_output_details()[0]}
    return {
        "name": "tiny",
        "version": "1",
        "created": "2025-01-31T12:00:00Z",
        "labels": list(LABELS),
        "background": True,
        "features": FEATURES.spec(),
        "label_map": {"*.example.com": "web"},
        "calibration": {"temperature": 1.0},
        "thresholds": {"web": 0.9, "mail": 0.9},
        "quantisation": {
            end: {"scale": float(entry["quantization"][0]) or 1.0, "zero_point": int(entry["quantization"][1])}
            for end, entry in ends.items()
        },
        "training": {},
        "figures": {},
        "libraries": {},
    }


@pytest.fixture(scope="session")
def variant() -> Callable[[str], Tiny]:
    """The tiny model in any of the forms of :func:`convert`, made once each."""
    made: dict[str, Tiny] = {}

    def get(answer: str) -> Tiny:
        if answer not in made:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # TensorFlow's, of its own future
                model = convert(answer)
                made[answer] = Tiny(model, describe(model))
        return made[answer]

    return get


@pytest.fixture(scope="session")
def tiny(variant: Callable[[str], Tiny]) -> Tiny:
    """int8 logits, as bundles have."""
    return variant("int8")


@pytest.fixture
def write(tmp_path: Path, tiny: Tiny) -> Callable[..., Bundle]:
    """A bundle on disk (``tiny.eacf`` in tmp_path) of the tiny model, with fields of its manifest changed."""

    def make(changes: dict[str, Any] | None = None, of: Tiny = tiny) -> Bundle:
        return bundle.write(tmp_path / "tiny.eacf", of.manifest | (changes or {}), of.model)

    return make


@pytest.fixture(scope="session")
def sample() -> Callable[..., Sample]:
    """A records-only sample; with `payload`, one of the stream, in one chunk."""

    def make(*records: int, uid: str = "C1", server_name: str | None = None, payload: bytes = b"") -> Sample:
        ends = (IPv4Address("192.0.2.1"), 50000, IPv4Address("192.0.2.2"), 443)
        chunks = [Chunk(len(payload), True, 0)] if payload else []
        return Sample(uid, 0, *ends, server_name, payload, chunks, list(records))

    return make
