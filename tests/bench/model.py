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
EXPORT = """
import sys, numpy as np
from pathlib import Path
from eacf_trainer import networks, quantise
rows = np.random.default_rng(0).integers(0, 256, (300, 3000), dtype=np.uint8)
Path(sys.argv[1]).write_bytes(quantise.convert(networks.paper_cnn(3000, 8), rows, 127, 74.0)[0])
"""


def measure(work: Path) -> dict[str, float]:
    """Figures ``model.*``. The paper's network has random weights, as time does not depend on what it has learnt."""
    models = {"default": bundle.load(bundle.default_path()).model, "paper": paper(work / "paper-untrained.tflite")}
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


def paper(kept: Path) -> bytes:
    """The paper's 1D-CNN as full int8, exported once; in a process of its own, since TensorFlow never lives beside the clock."""
    if not kept.exists():
        subprocess.run([sys.executable, "-c", EXPORT, str(kept)], check=True)
    return kept.read_bytes()


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
