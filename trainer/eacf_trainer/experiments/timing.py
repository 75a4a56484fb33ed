"""Time a flow: the paper's CNN as float32 and int8 TFLite, alone and in batches, in turns, so that all meet the same machine.

It is processor time of one thread: what waits for other programs does not count, so that a busy machine tells nearly the same.
"""

from __future__ import annotations

import os
import platform
import re
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from eacf.flow import Sample
from eacf_trainer.experiments import inputs
from eacf_trainer.experiments.data import Flows

BATCHES = (1, 32)
ROUNDS = 31
FLOWS_A_ROUND = 64
CALIBRATION_ROWS = 64


def measure(flows: Flows, size: int, rounds: int = ROUNDS) -> dict[str, Any]:
    """Microseconds a flow, by name of what was timed: median and quartiles over `rounds` rounds.

    The network is not trained: the time does not hang on the weights. TensorFlow is loaded here.
    """
    from eacf.inference.runtime import choose
    from eacf_trainer import networks, quantise

    samples = [flows.samples[place % len(flows.samples)] for place in range(FLOWS_A_ROUND)]
    rows = inputs.rows(inputs.BOTH, size, samples)
    scale = inputs.Scale.of(rows)
    networks.deterministic(0)
    network = networks.paper_cnn(size, len(flows.labels))
    files = {
        "float32": quantise.floating(network),
        "int8": quantise.convert(network, rows[:CALIBRATION_ROWS], scale.mu, scale.sd)[0],
    }
    given: dict[str, NDArray[Any]] = {"float32": scale.normalised(rows), "int8": rows}
    runtime = choose()
    turns: dict[str, Callable[[], None]] = {"encode": lambda: _encode(size, samples)}
    for name, model in files.items():
        for batch in BATCHES:
            interpreter = runtime.interpreter(model_content=model, num_threads=1)
            turns[f"{name}, batch {batch}"] = _turn(interpreter, given[name], batch)
    taken: dict[str, list[float]] = {name: [] for name in turns}
    load = os.getloadavg()[0]
    for _ in range(rounds):
        for name, turn in turns.items():
            begun = time.process_time()
            turn()
            taken[name].append((time.process_time() - begun) / FLOWS_A_ROUND * 1e6)
    return {
        "us": {name: [round(each, 1) for each in _quartiles(values)] for name, values in taken.items()},
        "bytes": {name: len(model) for name, model in files.items()},
        "parameters": int(network.count_params()),
        "rounds": rounds,
        "runtime": str(runtime),
        "cpu": cpu(),
        "load": round(load, 2),
    }


def cpu() -> str:
    """The processor's name and how many of it the system shows."""
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    name = found[1].strip() if found else platform.processor() or platform.machine()
    return f"{name}, {os.cpu_count()} cores"


def _encode(size: int, samples: list[Sample]) -> None:
    inputs.rows(inputs.BOTH, size, samples)


def _turn(interpreter: Any, rows: NDArray[Any], batch: int) -> Callable[[], None]:
    """All rows through the interpreter, `batch` at a time: in, invoke, out, as a worker does it."""
    source = interpreter.get_input_details()[0]["index"]
    target = interpreter.get_output_details()[0]["index"]
    interpreter.resize_tensor_input(source, (batch, rows.shape[1]))
    interpreter.allocate_tensors()

    def turn() -> None:
        for begin in range(0, len(rows), batch):
            interpreter.set_tensor(source, rows[begin : begin + batch])
            interpreter.invoke()
            interpreter.get_tensor(target)

    turn()  # the first one sets up
    return turn


def _quartiles(values: list[float]) -> tuple[float, float, float]:
    """First quartile, median, third."""
    if len(values) == 1:
        return values[0], values[0], values[0]
    first, middle, third = statistics.quantiles(values, n=4)
    return first, middle, third
