"""Zeek as a process: run to its end, what it cost, and what its eacf.log says."""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Timer

from machine import Machine, VoidError

LIMIT_S = 600.0
"""A Zeek that runs for longer is ended, and what it measured is void."""
LAST_WORDS = 2000
ANSWERS = ("-", "abstained")
"""Reasons in eacf.log that a worker's verdict has: none, or that the model does not know."""


@dataclass(frozen=True)
class Ran:
    """What a process used, all its threads together."""

    cpu_s: float
    """User and system."""
    peak_mb: float
    """Most memory that was resident."""


def read(machine: Machine, capture: Path, scripts: Sequence[str | Path], folder: Path, **more: str) -> Ran:
    """`zeek -C -r CAPTURE SCRIPTS` on its core, with logs in `folder` and `more` in its environment."""
    return run(machine, [machine.zeek, "-C", "-r", capture, *scripts], folder, more)


def run(machine: Machine, command: Sequence[str | Path], folder: Path, more: Mapping[str, str]) -> Ran:
    """Run to its end. VoidError where it does not end well; `folder` then has its words in `out`."""
    core = {machine.zeek_core}
    with (folder / "out").open("wb") as out:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**plain(), **more},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            preexec_fn=lambda: os.sched_setaffinity(0, core),
        )
        limit = Timer(LIMIT_S, process.kill)
        limit.start()
        _, status, used = os.wait4(process.pid, 0)  # what Popen cannot: usage of this very process
        limit.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        words = (folder / "out").read_text(errors="replace")[-LAST_WORDS:]
        raise VoidError(f"zeek ended with status {process.returncode}, its logs are in {folder}; last words:\n{words}")
    return Ran(used.ru_utime + used.ru_stime, used.ru_maxrss / 1000)


def plain() -> dict[str, str]:
    """The environment without settings of a live worker or another Zeek."""
    return {
        name: value for name, value in os.environ.items() if not name.startswith(("EACF_", "ZEEK_LOG", "ZEEK_PLUGIN"))
    }


def check_answers(folder: Path, flows: int) -> None:
    """VoidError unless eacf.log has so many lines, each of a flow that the worker answered."""
    reasons = Counter(column(folder / "eacf.log", "reason"))
    answered = sum(reasons[reason] for reason in ANSWERS)
    if answered != flows or len(reasons) > len(ANSWERS) or reasons.total() != flows:
        raise VoidError(f"{folder}/eacf.log: {answered} of {flows} flows answered; lines by reason: {dict(reasons)}")


def column(log: Path, name: str) -> list[str]:
    """One field of each line of a log that Zeek wrote as tab-separated values; empty where there is no log."""
    found: list[str] = []
    at = 0
    with suppress(FileNotFoundError), log.open(errors="surrogateescape") as lines:
        for line in lines:
            if line.startswith("#fields\t"):
                at = line.rstrip("\n").split("\t").index(name) - 1
            elif not line.startswith("#"):
                found.append(line.rstrip("\n").split("\t")[at])
    return found
