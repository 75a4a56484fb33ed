"""How long Python takes to import eacf, beside nothing: what an operator waits for before anything happens."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

RUNS = 15


def measure(work: Path) -> dict[str, float]:
    """``import.eacf_ms``: the best of RUNS fresh processes, less Python's own start."""
    programs = {"import eacf": float("inf"), "pass": float("inf")}
    for _ in range(RUNS):  # in turns, so that both meet the same noise
        for program in programs:
            programs[program] = min(programs[program], milliseconds(program))
    return {"import.eacf_ms": programs["import eacf"] - programs["pass"]}


def milliseconds(program: str) -> float:
    """Wall time of a process that runs `program` and ends."""
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", program], check=True)
    return (time.perf_counter() - begun) * 1e3
