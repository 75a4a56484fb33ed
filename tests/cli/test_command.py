"""`eacf` as a shell runs it, but for `eacf replay`, which has tests of its own beside the replay's."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import eacf
from eacf import bundle
from eacf.bus import EmbeddedBus, Endpoints
from eacf.settings import SETTINGS

EACF = [sys.executable, "-m", "eacf"]
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("EACF_")}


def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [*EACF, *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, env={**CLEAN, **environment}
    )


def failed(done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    """It ended with this code and one plain message."""
    assert (done.returncode, done.stdout) == (code, "")
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr


@pytest.fixture
def bus() -> Iterator[Endpoints]:
    with EmbeddedBus() as embedded:
        yield embedded.endpoints


@pytest.fixture
def flags(bus: Endpoints) -> list[str]:
    return ["--subscribe-endpoint", bus.subscribe, "--publish-endpoint", bus.publish]


# Help


def test_version() -> None:
    assert run("--version").stdout == f"eacf {eacf.__version__}\n"


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["replay"],
        ["worker"],
        ["bundle"],
        ["bundle", "show"],
        ["bundle", "sign"],
        ["config"],
        ["record"],
        ["status"],
        ["doctor"],
        ["keys"],
        ["keys", "new"],
        ["keys", "show"],
        ["model"],
    ],
)
def test_help_explains_each_command(command: list[str]) -> None:
    done = run(*command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(" ".join(["usage: eacf", *command]))
    assert len(done.stdout.splitlines()) > 5


def test_help_loads_nothing_heavy() -> None:
    heavy = "{'numpy', 'zmq', 'rich', 'dpkt', 'psutil', 'cryptography', 'ai_edge_litert', 'tensorflow'}"
    program = (
        f"import sys, eacf.cli\ntry: eacf.cli.main(['--help'])\nexcept SystemExit: print(*({heavy} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert out.splitlines()[-1] == ""


def test_a_wrong_command_or_option_is_a_mistake() -> None:
    failed(run(), 2, "COMMAND")
    failed(run("repaly"), 2, "repaly")
    failed(run("worker", "--quick"), 2, "--quick")


# Settings


def test_config_tells_where_each_value_came_from(tmp_path: Path) -> None:
    file = tmp_path / "eacf.toml"
    file.write_text("queue_flows = 7\nthreads = 2\n")
    done = run("config", "--config", file, "--log-level", "debug", "--json", EACF_THREADS="3")
    assert done.returncode == 0
    settings = json.loads(done.stdout)
    assert list(settings) == list(SETTINGS)
    assert settings["queue_flows"] == {"value": 7, "origin": f"file {file}"}
    assert settings["threads"] == {"value": 3, "origin": "environment EACF_THREADS"}
    assert settings["log_level"] == {"value": "debug", "origin": "flag --log-level"}
    assert settings["metrics_port"] == {"value": 0, "origin": "default"}
    lines = run("config", "--config", file).stdout.splitlines()
    assert lines[0].split() == ["setting", "value", "from"]
    assert [line.split()[0] for line in lines[1:]] == list(SETTINGS)
    assert lines[1].split() == ["bundle", "-", "default"]


def test_every_setting_is_a_flag_of_the_worker() -> None:
    text = run("worker", "--help").stdout
    for key in SETTINGS:
        assert "--" + key.replace("_", "-") in text


def test_bad_settings_are_mistakes(tmp_path: Path) -> None:
    for command in ("config", "worker"):
        failed(run(command, "--queue-flows", "0"), 2, "queue-flows", "1 to")
        failed(run(command, EACF_THREADS="many"), 2, "EACF_THREADS")
        failed(run(command, "--config", tmp_path / "none.toml"), 2, "none.toml")
    failed(run("worker", "--bundle", tmp_path / "none.eacf"), 2, "flag --bundle", "none.eacf: no such file")
    failed(run("worker", EACF_BUNDLE="none.eacf"), 2, "environment EACF_BUNDLE", "none.eacf: no such file")
    failed(run("status", "--timeout", "0"), 2, "--timeout 0")


def test_a_variable_that_names_no_setting_is_worth_a_word() -> None:
    done = run("config", EACF_THREDS="3")
    assert done.returncode == 0
    assert "EACF_THREDS (did you mean EACF_THREADS?)" in done.stderr


# Bundles


def test_bundle_show_says_what_is_in_it() -> None:
    shipped = bundle.load(bundle.default_path())
    done = run("bundle", "show")
    assert (done.returncode, done.stderr) == (0, "")
    rows = dict(line.split("  ", 1) for line in done.stdout.splitlines())
    assert rows["id"].strip() == shipped.id
    for label in shipped.labels:
        assert label in rows["labels"]
    assert json.loads(run("bundle", "show", bundle.default_path(), "--json").stdout)["id"] == shipped.id


def test_bundle_show_refuses_what_is_none(tmp_path: Path) -> None:
    bad = tmp_path / "bad.eacf"
    bad.write_bytes(b"no bundle")
    failed(run("bundle", "show", bad), 1, "bad.eacf")
    failed(run("bundle", "show", tmp_path / "none.eacf"), 2, "none.eacf: no such file")


# The worker, and its status


def test_a_bad_bundle_ends_the_worker_with_1(tmp_path: Path, flags: list[str]) -> None:
    bad = tmp_path / "bad.eacf"
    bad.write_bytes(b"no bundle")
    failed(run("worker", "--bundle", bad, *flags), 1, "bad.eacf")


def test_status_of_a_bus_without_workers(flags: list[str]) -> None:
    failed(run("status", "--timeout", "0.5", *flags), 1, "nobody answered within 0.5 s", "no worker and no Zeek")
    nowhere = ["--subscribe-endpoint", "ipc:///nowhere/a", "--publish-endpoint", "ipc:///nowhere/b"]
    failed(run("status", "--timeout", "0.3", *nowhere), 1, "no bus at ipc:///nowhere/a")


def test_status_of_a_worker_that_ends_in_order(flags: list[str]) -> None:
    worker = subprocess.Popen([*EACF, "worker", *flags], stderr=subprocess.PIPE, text=True, env=CLEAN)
    assert worker.stderr is not None
    while "on the bus" not in worker.stderr.readline():
        assert worker.poll() is None
    done = run("status", *flags)
    assert (done.returncode, done.stderr) == (0, "")
    assert bundle.load(bundle.default_path()).id in done.stdout
    (report,) = map(json.loads, run("status", "--json", *flags).stdout.splitlines())
    assert report["flows_in"] == 0
    begun = time.monotonic()
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(20) == 0
    assert time.monotonic() - begun < 10
    worker.stderr.close()
