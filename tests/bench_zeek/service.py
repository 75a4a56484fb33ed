"""The worker as a process of its own, fresh for each run: loaded and looking for its bus before Zeek starts."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from machine import Machine, VoidError
from sensor import plain

LOADED = "serves bundle"
"""In the line that a worker logs when it can serve and begins to look for its bus."""
START_S, END_S = 60.0, 10.0
LOOK_S = 0.02


@dataclass
class Worker:
    """A worker that runs."""

    cpu_s: float = 0.0
    """What serving took, loading left out; known at the end."""


@contextmanager
def private() -> Iterator[dict[str, str]]:
    """Endpoints that nobody else has, for the environment of Zeek and worker: two Unix sockets in a folder of ours."""
    with tempfile.TemporaryDirectory(prefix="eacf-", dir="/tmp") as folder:
        yield {
            "EACF_SUBSCRIBE_ENDPOINT": f"ipc://{folder}/subscribe",
            "EACF_PUBLISH_ENDPOINT": f"ipc://{folder}/publish",
        }


@contextmanager
def worker(
    machine: Machine, bundle: Path, endpoints: Mapping[str, str], inside: Sequence[str] = ()
) -> Iterator[Worker]:
    """`eacf worker` on the cores that Zeek does not have, started by the command `inside` if there is one."""
    cores = machine.other_cores
    command = [*inside, sys.executable, "-m", "eacf", "worker", "--bundle", str(bundle), "--log-level", "info"]
    with tempfile.NamedTemporaryFile() as log:
        process = subprocess.Popen(
            command,
            env={**plain(), **endpoints},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            preexec_fn=lambda: os.sched_setaffinity(0, cores),
        )
        try:
            _until_loaded(process, Path(log.name))
            made = Worker()
            before = cpu_s(process.pid)
            yield made
            made.cpu_s = cpu_s(process.pid) - before
        finally:
            process.terminate()
            try:
                process.wait(END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _until_loaded(process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_S
    while LOADED not in (said := log.read_text(errors="replace")):
        if process.poll() is not None or time.monotonic() > until:
            raise VoidError(f"the worker did not come up; its words:\n{said}")
        time.sleep(LOOK_S)


def cpu_s(pid: int) -> float:
    """User and system time of a process so far."""
    used = psutil.Process(pid).cpu_times()
    return float(used.user + used.system)
