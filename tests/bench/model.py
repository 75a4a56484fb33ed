"""The shipped model beside the paper's CNN: invoke alone, both int8, one thread, in turns."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from eacf import bundle

ROUNDS = 40
CALLS = 25


def measure(work: Path) -> dict[str, float]:
    """Figures ``model.*``. The paper's bundle is the trained one where `make bundles` has left it, else one epoch's worth: time is the same."""
    models = {"default": bundle.load(bundle.default_path()).model, "paper": bundle.load(paper(work)).model}
    figures: dict[str, float] = {}
    for batch in (1, 32):
        interpreters = {name: interpreter(model, batch) for name, model in models.items()}
        best = dict.fromkeys(interpreters, float("inf"))
        for _ in range(ROUNDS):
            for name, each in interpreters.items():
                begun = time.perf_counter()
                for _ in range(CALLS):
                    each.invoke()
                best[name] = min(best[name], (time.perf_counter() - begun) / CALLS / batch * 1e6)
        for name, microseconds in best.items():
            figures[f"model.{name}_us_batch{batch}"] = microseconds
        figures[f"model.paper_over_default_batch{batch}"] = best["paper"] / best["default"]
    return figures


def interpreter(model: bytes, batch: int) -> Interpreter:
    """Ready to invoke on `batch` rows of noise."""
    made = Interpreter(model_content=model, num_threads=1)
    entry = made.get_input_details()[0]
    made.resize_tensor_input(entry["index"], (batch, *entry["shape"][1:]))
    made.allocate_tensors()
    rows = np.random.default_rng(0).integers(0, 256, (batch, *entry["shape"][1:]), dtype=np.uint8)
    made.set_tensor(entry["index"], rows)
    made.invoke()
    return made
