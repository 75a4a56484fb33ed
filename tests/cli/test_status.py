"""`eacf status` as a shell runs it, with a real worker and what answers as a Zeek does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest

from eacf.bus import EmbeddedBus, Endpoints, Peer
from eacf.wire import flow_topic, verdict_topic

EACF = [sys.executable, "-m", "eacf"]
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("EACF_")}
Make = Callable[..., dict[str, Any]]
PretendZeek = Callable[[Endpoints, dict[str, Any]], AbstractContextManager[None]]


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [*EACF, "status", *map(str, arguments)]
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


def test_both_ends_are_shown(
    bus: Endpoints, flags: list[str], worker: str, pretend_zeek: PretendZeek, zeek_report: Make
) -> None:
    peer = {"worker": worker, "model": "m", "unanswered": 4, "sent": 4, "answered": 0, "state": "ready"}
    counts = dict.fromkeys(("labelled", "abstained"), 0)
    report = zeek_report("sensor", collected=4, pending=4, workers=[peer], **counts)
    with pretend_zeek(bus, report):
        done = run(*flags, "--timeout", 20)
        lines = run(*flags, "--timeout", 20, "--json").stdout.splitlines()
    assert (done.returncode, done.stderr) == (0, "")
    blocks = done.stdout.split("\n\n")
    assert [block.split()[0] for block in blocks] == ["worker", "zeek", "flows"]
    assert [line.split() for line in blocks[2].splitlines()[1:2]] == [[worker, "4", "0", "0", "0"]]
    assert "4 sent and not come to the worker" in blocks[2]
    assert blocks[2].count(": closes") == 2
    ours, zeeks = map(json.loads, lines)
    assert ours["worker"] == worker
    assert "kind" not in ours
    assert zeeks == report


def test_a_zeek_alone_is_an_answer(
    bus: Endpoints, flags: list[str], pretend_zeek: PretendZeek, zeek_report: Make
) -> None:
    with pretend_zeek(bus, zeek_report("sensor", zeek="8\x1b[31m.0")):
        done = run(*flags, "--timeout", 20)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Zeek 8?[31m.0" in done.stdout
    assert "\x1b" not in done.stdout


def test_who_is_silent_is_named(bus: Endpoints, flags: list[str]) -> None:
    with Peer(bus, "deaf", [flow_topic("f" * 12), verdict_topic("deaf")]):
        done = run(*flags, "--timeout", 1)
    assert (done.returncode, done.stdout) == (1, "")
    assert "worker ffffffffffff listens on the bus and did not answer" in done.stderr
    assert "Zeek process deaf listens" in done.stderr
    assert "nobody answered within 1 s" in done.stderr


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf"])
def test_a_time_to_wait_that_is_none_is_a_mistake(seconds: str, flags: list[str]) -> None:
    assert run(*flags, f"--timeout={seconds}").returncode == 2
