"""`eacf top --once` as a shell runs it, with a real worker and what answers as a Zeek does."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest

from eacf.bus import EmbeddedBus, Endpoints, Peer
from eacf.wire import enforce_topic, flow_topic

EACF = [sys.executable, "-m", "eacf"]
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith(("EACF_", "COLUMNS"))}
Make = Callable[..., dict[str, Any]]
PretendZeek = Callable[[Endpoints, dict[str, Any]], AbstractContextManager[None]]


def run(*arguments: object, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [*EACF, "top", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=100, check=False, env=CLEAN | environ, stdin=subprocess.DEVNULL
    )


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


def test_one_picture_of_a_worker_and_a_zeek(
    bus: Endpoints, flags: list[str], worker: str, pretend_zeek: PretendZeek, zeek_report: Make
) -> None:
    with (
        pretend_zeek(bus, zeek_report("sensor", cluster_node="sen\x1b[2Jsor")),
        Peer(bus, "deaf", [enforce_topic("e" * 12)]),
    ):
        done = run(*flags, "--once", "--interval", "0.4", "--timeout", "0.8")
        wide = run(*flags, "--once", "--interval", "0.2", "--timeout", "0.8", COLUMNS="130").stdout
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in done.stdout
    assert lines[1].startswith("1 worker, 1 Zeek process, 1 agent; ")
    (row,) = [line.split() for line in lines if line.startswith(worker)]
    assert (row[1], row[2], row[5]) == ("0.0", "0%", "0")  # a rate: it was asked twice
    assert float(row[9]) > 10  # megabytes
    assert [line.split()[0] for line in lines if line.startswith("sen")] == ["sen?[2Jsor"]
    assert f"{'e' * 12}  does not answer" in lines
    assert f"! agent {'e' * 12} has not answered yet" in lines
    assert "public 2" in wide


def test_nobody_answers(bus: Endpoints, flags: list[str]) -> None:
    with Peer(bus, "deaf", [flow_topic("f" * 12)]):
        done = run(*flags, "--once", "--timeout", "0.4", "--interval", "0.2")
    assert (done.returncode, done.stdout) == (1, "")
    assert "nobody answered within 0.4 s" in done.stderr


def test_no_bus() -> None:
    nowhere = ["--subscribe-endpoint", "ipc:///tmp/eacf-nobody/s", "--publish-endpoint", "ipc:///tmp/eacf-nobody/p"]
    done = run(*nowhere, "--once", "--timeout", "0.2")
    assert (done.returncode, done.stdout) == (1, "")
    assert "no bus at ipc:///tmp/eacf-nobody/s" in done.stderr


@pytest.mark.parametrize("seconds", ["0", "0.1", "-1", "nan", "inf", "3601"])
def test_an_interval_that_is_none_is_a_mistake(seconds: str, flags: list[str]) -> None:
    done = run(*flags, "--once", f"--interval={seconds}")
    assert done.returncode == 2
    assert "must be a number of seconds, 0.2 to 3600" in done.stderr


def test_without_a_terminal_it_says_what_to_do(flags: list[str]) -> None:
    done = run(*flags)
    assert done.returncode == 2
    assert "--once" in done.stderr
