"""The two bundles: what eacf ships, on record lengths, and the paper's network, which wants 3,000 bytes of payload."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

from eacf import bundle

BUILD = """
import sys, numpy as np
from eacf import bundle
from eacf.features import Paper
from eacf_trainer import networks, quantise
labels = [f"application-{number}" for number in range(8)]
rows = np.random.default_rng(0).integers(0, 256, (300, 3000), dtype=np.uint8)
model, found = quantise.convert(networks.paper_cnn(3000, len(labels)), rows, 127, 74.0)
bundle.write(sys.argv[1], {
    "name": "paper-untrained", "version": "1", "created": "2026-01-01T00:00:00Z", "labels": labels, "background": False,
    "features": Paper().spec(), "label_map": {}, "calibration": {"temperature": 1.0},
    "thresholds": dict.fromkeys(labels, 0.0),
    "quantisation": {
        "input": {"scale": found.input_scale, "zero_point": found.input_zero_point},
        "output": {"scale": found.output_scale, "zero_point": found.output_zero_point},
    },
    "training": {}, "figures": {}, "libraries": {},
}, model)
"""


def records() -> Path:
    """What eacf ships: records only."""
    return bundle.default_path()


def payload(folder: Path) -> Path:
    """The paper's 1D-CNN with random weights, as time does not depend on what it has learnt; it always says a label.

    Made once and kept in `folder`, by a process of its own, since TensorFlow never lives beside the clock.
    """
    kept = folder / f"paper-untrained-{hashlib.sha256(BUILD.encode()).hexdigest()[:12]}.eacf"
    if not kept.exists():
        subprocess.run([sys.executable, "-c", BUILD, str(kept)], check=True, stderr=subprocess.DEVNULL)
    return kept
