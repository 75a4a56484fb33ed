"""What it costs: size, time a flow beside the paper's network, training from 20,000 samples, building a dataset."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil

from eacf.collector import collect
from eacf.flow import Needs
from eacf_trainer import export, networks, plan, quantise
from eacf_trainer.dataset import Dataset, Options, build, serial
from eacf_trainer.plan import CaptureSet

SAMPLES = 20_000
LOOK_S = 0.25
CONNECTIONS = 600
TRAINING = CaptureSet(
    tuple(range(300, 320)), CONNECTIONS, ("lan", "fibre", "dsl", "mobile"), tuple(f"cost-{n}" for n in range(10)), 0.1
)
RATE = CaptureSet((5100,), 3000, ("lan",), ("rate",), 0.1)


def measured(work: Path, jobs: int) -> dict[str, object]:
    """All of it. Times are the least of interleaved runs, one thread, this machine."""
    made = training(work, jobs)
    made |= times(work)
    made |= rate(work)
    return made


def training(work: Path, jobs: int) -> dict[str, object]:
    """The command that a user runs, on a dataset of at least SAMPLES samples: wall time and the largest memory of all its processes."""
    captures = plan.generate(TRAINING, work / "cost-captures", lambda text: None)
    dataset = build([captures], work / "cost", Options(), runner=serial)
    out = work / f"cost-run-{time.time_ns()}"
    command = [
        sys.executable,
        "-c",
        "import sys; from eacf_trainer.cli import main; sys.exit(main())",
        "fit",
        str(dataset.folder),
    ]
    command += ["--labels", "testbed", "--out", str(out), "--only-model", "--jobs", str(jobs)]
    begun = time.monotonic()
    process = psutil.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, held_mb(process))
        time.sleep(LOOK_S)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)}: exit code {process.returncode}")
    seconds = time.monotonic() - begun
    return {
        "training.samples": dataset.rows,
        "training.seconds": round(seconds, 1),
        "training.peak_mb": round(peak),
    }


def held_mb(process: psutil.Popen) -> float:
    """What a process and all that it started hold; a page that several share counts once (proportional set size)."""
    total = 0
    for each in (process, *process.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            total += each.memory_full_info().pss
    return total / 1e6


def times(work: Path) -> dict[str, object]:
    """The default network and the paper's, as int8, in one run."""
    from eacf import bundle

    networks.deterministic(0)
    paper = networks.paper_cnn(3000, 13)
    rows = np.random.default_rng(0).integers(0, 256, (64, 3000), dtype=np.uint8)
    model, _ = quantise.convert(paper, rows, 127, 74.0)
    runs = sorted(work.glob("cost-run-*"), key=lambda path: path.stat().st_mtime)
    own = bundle.load(runs[-1] / "default.eacf")
    mine = np.resize(np.frombuffer(own.manifest.golden.inputs[0], np.uint8), (32, *own.features.shape))
    made: dict[str, object] = {"size_kb": round(len(own.model) / 1000, 1)}
    for batch in (1, 32):
        own_us, paper_us = export.timed(own.model, model, mine[:batch], rows[:batch])
        made |= {f"us_per_flow_batch{batch}": own_us, f"paper_us_per_flow_batch{batch}": paper_us}
        made[f"time_over_paper_cnn{'' if batch == 32 else '_batch1'}"] = round(own_us / paper_us, 4)
    return made


def rate(work: Path) -> dict[str, object]:
    """Building a dataset beside collecting alone, both cuts, one process, in turn."""
    capture = next(plan.generate(RATE, work / "rate-captures", lambda text: None).rglob("*.pcap"))
    needs = Needs(), Needs(payload_bytes=0, records=16, chunks=False)
    best = [float("inf"), float("inf")]
    for number in range(5):
        begun = time.perf_counter()
        count = sum(1 for _ in collect(capture, needs[0], also=needs[1]))
        best[0] = min(best[0], time.perf_counter() - begun)
        begun = time.perf_counter()
        dataset: Dataset = build([capture], work / f"rate-{time.time_ns()}-{number}", Options(), runner=serial)
        best[1] = min(best[1], time.perf_counter() - begun)
        assert dataset.rows == count
    return {"dataset.over_collect": round(best[1] / best[0], 3), "dataset.samples_per_second": round(count / best[1])}
