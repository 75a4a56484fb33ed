"""`eacf doctor` as a shell runs it, with a real worker and what answers as a Zeek does."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from eacf.bus import EmbeddedBus, Endpoints

EACF = [sys.executable, "-m", "eacf"]
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("EACF_")}
Make = Callable[..., dict[str, Any]]
PretendZeek = Callable[[Endpoints, dict[str, Any]], AbstractContextManager[None]]


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [*EACF, "doctor", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False, env=CLEAN)


@pytest.fixture
def bus() -> Iterator[Endpoints]:
    with EmbeddedBus() as embedded:
        yield embedded.endpoints


@pytest.fixture
def flags(bus: Endpoints) -> list[str]:
    return ["--subscribe-endpoint", bus.subscribe, "--publish-endpoint", bus.publish]


@pytest.fixture
def worker(flags: list[str]) -> Iterator[str]:
    """A real worker on that bus; its id."""
    process = subprocess.Popen([*EACF, "worker", *flags], stderr=subprocess.PIPE, text=True, env=CLEAN)
    assert process.stderr is not None
    name = ""
    while "on the bus" not in (line := process.stderr.readline()):
        assert process.poll() is None
        name = line.partition("worker ")[2].split(" ")[0] or name
    yield name
    process.terminate()
    assert process.wait(20) == 0
    process.stderr.close()


def test_where_all_is_well(
    bus: Endpoints, flags: list[str], worker: str, pretend_zeek: PretendZeek, zeek_report: Make
) -> None:
    peer = {"worker": worker, "model": "m", "unanswered": 4, "sent": 1_234, "answered": 1_230, "state": "ready"}
    with pretend_zeek(bus, zeek_report("sensor", workers=[peer], wall_time=time.time, network_time=time.time)):
        done = run(*flags, "--timeout", 20)
        lines = [json.loads(line) for line in run(*flags, "--timeout", 20, "--json").stdout.splitlines()]
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert f"ok       its workers   zeek sensor is served by {worker}" in done.stdout.splitlines()
    assert re.fullmatch(r"no problem, (no|1) warnings?", done.stdout.splitlines()[-1])
    found = [(each["check"], each["state"]) for each in lines if not each["check"].startswith("zeek ")]
    assert found == [
        ("runtime", "ok"),
        ("bundle", "ok"),
        ("bus", "ok"),
        ("worker", "ok"),
        ("account", "ok"),
        ("zeek", "ok"),
        ("its workers", "ok"),
        ("clock", "ok"),
        ("account", "ok"),
        ("verdicts", "ok"),
    ]
    assert all(set(each) == {"check", "state", "seen", "remedy"} for each in lines)


def test_without_a_bus_the_remedy_stands_below() -> None:
    done = run("--subscribe-endpoint", "ipc:///nowhere/a", "--publish-endpoint", "ipc:///nowhere/b", "--timeout", 0.2)
    assert (done.returncode, done.stderr) == (1, "")
    lines = done.stdout.splitlines()
    at = lines.index("problem  bus           nothing listens at ipc:///nowhere/a, nor at ipc:///nowhere/b")
    assert lines[at + 1].startswith(" " * 23 + "start Zeek with the eacf package")
    assert lines[-1].startswith("1 problem, ")
    assert "\x1b" not in done.stdout


def test_a_bad_bundle_is_a_problem_and_one_that_is_not_there_a_mistake(tmp_path: Path, flags: list[str]) -> None:
    bad = tmp_path / "bad.eacf"
    bad.write_bytes(b"no bundle")
    done = run("--bundle", bad, *flags, "--timeout", 0.2, "--json")
    assert done.returncode == 1
    (found,) = [each for each in map(json.loads, done.stdout.splitlines()) if each["check"] == "bundle"]
    assert (found["state"], "bad.eacf" in found["seen"]) == ("problem", True)
    done = run("--bundle", tmp_path / "none.eacf", *flags)
    assert (done.returncode, done.stdout) == (2, "")
    assert "none.eacf: no such file" in done.stderr
    assert run("--timeout", 0, *flags).returncode == 2
    assert run("--subscribe-endpoint", "5555").returncode == 2


def test_on_a_terminal_there_is_colour(flags: list[str]) -> None:
    here, there = pty.openpty()
    environment = {**CLEAN, "TERM": "xterm", "COLUMNS": "80"}
    environment.pop("NO_COLOR", None)
    command = [*EACF, "doctor", *flags, "--timeout", "0.2"]
    doctor = subprocess.Popen(command, stdin=there, stdout=there, stderr=there, env=environment)
    os.close(there)
    seen = b""
    try:
        while part := os.read(here, 65_536):
            seen += part
    except OSError:
        pass  # EIO: the other end was closed
    assert doctor.wait(60) == 1
    os.close(here)
    assert b"\x1b[32mok" in seen
    assert b"\x1b[1;31mproblem" in seen
    text = re.sub(r"\x1b\[[0-9;]*m", "", seen.decode())
    assert "problem  worker        there is no worker on this bus" in text
