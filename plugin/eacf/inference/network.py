"""A bundle's flatbuffer in an interpreter, held against the manifest before it may answer."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eacf.bundle import Bundle, Scale
from eacf.errors import BundleError
from eacf.inference.runtime import Runtime

MAX_BATCH = 32
"""Rows that are invoked at once; more are done in turns, so that memory stays bounded."""
MAX_TENSOR_BYTES = 256 << 20
"""Of all tensors of the model together, for one row."""
SCALE_ERROR = 1e-5
"""Relative: a flatbuffer keeps scales as float32."""
BATCH_TOLERANCE = 1
"""How far an output may differ when the same row stands in a batch of another size."""
REBUILD = "build the bundle again"


class Network:
    """uint8 rows in, quantised logits out. For one thread at a time."""

    def __init__(self, bundle: Bundle, runtime: Runtime, threads: int) -> None:
        """Raises BundleError where the model cannot be loaded or is not what the manifest says."""
        self._where = f"{bundle.source}: model.tflite"
        self.shape = bundle.features.shape
        self.invoke_s = 0.0
        """Time spent in the interpreter so far, for the worker's account."""
        try:
            self._interpreter = runtime.interpreter(model_content=bundle.model, num_threads=threads)
            self._check_size()
            self._check_ends(bundle)
            self._batch = 0
            self._trial(bundle)
        except (ValueError, RuntimeError) as error:  # what the interpreter raises; its text names operators, not data
            if isinstance(error, BundleError):
                raise
            raise BundleError(f"{self._where}: {runtime} cannot run it ({_brief(error)}); {REBUILD}") from error

    def invoke(self, rows: NDArray[np.uint8]) -> NDArray[Any]:
        """(n, *shape) uint8 to (n, outputs) int8 or uint8, for n up to MAX_BATCH."""
        begun = time.perf_counter()
        interpreter = self._interpreter
        if len(rows) != self._batch:
            # About 5 us, which is why batches are not padded and no second interpreter is kept.
            interpreter.resize_tensor_input(self._input, rows.shape)
            interpreter.allocate_tensors()
            self._batch = len(rows)
        interpreter.set_tensor(self._input, rows)
        interpreter.invoke()
        answer: NDArray[Any] = interpreter.get_tensor(self._output)
        self.invoke_s += time.perf_counter() - begun
        return answer

    def _check_size(self) -> None:
        tensors = self._interpreter.get_tensor_details()
        size = sum(math.prod(map(int, each["shape"])) * np.dtype(each["dtype"]).itemsize for each in tensors)
        if size > MAX_TENSOR_BYTES:
            raise self._wrong(f"its tensors take {size} bytes, at most {MAX_TENSOR_BYTES} are allowed")

    def _check_ends(self, bundle: Bundle) -> None:
        inputs, outputs = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        if len(inputs) != 1 or len(outputs) != 1:
            raise self._wrong(f"has {len(inputs)} inputs and {len(outputs)} outputs, must have one of each")
        source, target = inputs[0], outputs[0]
        self._input, self._output = source["index"], target["index"]
        self._check_end("input", source, bundle.features.shape, ("uint8",), bundle.manifest.input)
        self._check_end("output", target, (bundle.manifest.outputs,), ("int8", "uint8"), bundle.manifest.output)

    def _check_end(self, end: str, entry: Any, shape: tuple[int, ...], types: tuple[str, ...], scale: Scale) -> None:
        found = np.dtype(entry["dtype"]).name
        if found not in types:
            raise self._wrong(f"{end} is {found}, must be {' or '.join(types)} (full integer quantisation)")
        batch, *row = (int(size) for size in entry["shape_signature"])
        if batch not in (-1, 1) or tuple(row) != shape:
            raise self._wrong(f"{end} has shape {(batch, *row)}, the manifest says (any, {', '.join(map(str, shape))})")
        real, zero_point = entry["quantization"]
        if zero_point != scale.zero_point or not math.isclose(real, scale.scale, rel_tol=SCALE_ERROR):
            raise self._wrong(
                f"{end} has scale {real:g} and zero point {zero_point}, manifest.quantisation.{end} says "
                f"{scale.scale:g} and {scale.zero_point}"
            )

    def _trial(self, bundle: Bundle) -> None:
        """Invoke once for a full batch and once for a row alone, and hold known answers against what comes."""
        known = bundle.manifest.golden
        rows = np.random.default_rng(0).integers(0, 256, (MAX_BATCH, *self.shape), dtype=np.uint8)
        if known:
            rows[: len(known.inputs)] = np.frombuffer(b"".join(known.inputs), np.uint8).reshape(-1, *self.shape)
        together = self.invoke(rows).astype(int)
        alone = np.concatenate([self.invoke(rows[:1]), self.invoke(rows[-1:])]).astype(int)
        if together.shape != (MAX_BATCH, bundle.manifest.outputs):
            raise self._wrong(f"output is {together.shape} for {MAX_BATCH} rows")
        if np.abs(together[[0, -1]] - alone).max() > BATCH_TOLERANCE:
            raise self._wrong("a row's answer depends on the rows beside it")
        if known:
            off = int(np.abs(together[: len(known.outputs)] - np.array(known.outputs)).max())
            if off > known.tolerance:
                raise self._wrong(f"is off by {off} on the rows of manifest.golden, allowed: {known.tolerance}")

    def _wrong(self, problem: str) -> BundleError:
        return BundleError(f"{self._where}: {problem}; {REBUILD}")


def _brief(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
