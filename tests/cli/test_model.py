"""`eacf model` as a shell runs it: on a store alone, with a real worker that serves from it, and over a real bus."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eacf import bundle, keys
from eacf.bus import EmbeddedBus, Endpoints
from eacf.models import Store
from eacf.status import ask

EACF = [sys.executable, "-m", "eacf"]
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("EACF_")}
PUBLIC, TESTBED = (bundle.load(bundle.find(name)).id for name in ("public", "testbed"))


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*EACF, "model", *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False, env=CLEAN
    )


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Both shipped bundles; `public` is what the worker would serve by its settings."""
    made = Store.open(tmp_path / "store")
    made.keep(bundle.read_file(bundle.find("public")), signature=None, now=0, setting=True)
    made.keep(bundle.read_file(bundle.find("testbed")), signature=None, now=0)
    return made


# A store alone


@pytest.mark.parametrize("command", [[], ["list"], ["promote"], ["rollback"], ["shadow"]])
def test_help(command: list[str]) -> None:
    done = run(*command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(" ".join(["usage: eacf model", *command]))


def test_promoted_and_rolled_back_without_a_worker(store: Store) -> None:
    done = run("promote", TESTBED, "--store", store.folder)
    assert done.stdout.splitlines() == [
        f"model {TESTBED} (testbed 2) serves from now on",
        "no worker serves from this store now; the next one will",
    ]
    assert run("rollback", "--store", store.folder).returncode == 0
    assert store.state().serving == PUBLIC
    assert run("shadow", TESTBED, "--store", store.folder).returncode == 0
    assert store.state().shadow == TESTBED
    assert run("shadow", "off", "--store", store.folder).returncode == 0
    assert store.state().shadow is None
    assert [step.why for step in store.state().history] == [
        "eacf model shadow",
        "eacf model shadow",
        "eacf model rollback",
        "eacf model promote",
    ]


def test_a_file_that_was_carried_by_hand_begins_a_store(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    assert run("promote", "testbed", "--store", folder).returncode == 0
    assert Store.open(folder).state().serving == TESTBED
    (tmp_path / "bad.eacf").write_bytes(bundle.read_file(bundle.find("public"))[:-1])
    done = run("promote", tmp_path / "bad.eacf", "--store", folder)
    assert (done.returncode, done.stdout) == (1, "")
    assert "bad.eacf: " in done.stderr
    assert Store.open(folder).state().serving == TESTBED


def test_a_damaged_model_is_not_promoted(store: Store) -> None:
    before = store.state()
    store.path(TESTBED).write_bytes(b"torn")
    done = run("promote", TESTBED, "--store", store.folder)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{TESTBED}.eacf: manifest.json: the file ends before it" in done.stderr
    assert store.state() == before


def test_mistakes(tmp_path: Path, store: Store) -> None:
    key, _ = keys.new(tmp_path / "ops")
    for arguments, problem in (
        (("promote", TESTBED), "say --store DIR for this machine's worker, or --key"),
        (("promote", "f" * 12, "--store", store.folder), "model ffffffffffff is not in the store"),
        (("promote", "nothing", "--store", store.folder), "is no model's id (12 hex digits), and no such file"),
        (("rollback", "--store", store.folder), "no model served before this one; name one"),
        (("list", "--store", tmp_path / "none"), "is no model store"),
        (("promote", "public", "--key", key.path), "an order names a kept model by its id"),
        (("rollback", "--key", key.path, "--store", store.folder), "--store and --key: say one"),
        (("rollback", "--key", tmp_path / "none.key"), "none.key: cannot be read"),
    ):
        done = run(*arguments)
        assert (done.returncode, done.stdout) == (2, ""), arguments
        assert problem in done.stderr
        assert "Traceback" not in done.stderr
    (store.folder / "state.json").write_bytes(b"{")
    for action in (("list",), ("promote", "public"), ("rollback",), ("shadow", "off")):
        done = run(*action, "--store", store.folder)
        assert (done.returncode, done.stdout) == (2, "")
        assert "state.json: is damaged" in done.stderr
        assert "put a copy of it back, or begin anew" in done.stderr


# What is shown


@pytest.fixture
def with_lineage(store: Store, tmp_path: Path) -> tuple[Store, str]:
    shipped = bundle.load(bundle.find("testbed"))
    told = {
        "parent": TESTBED,
        "window": {"first": "2025-01-31T12:00:00Z", "last": "2025-02-01T12:00:00Z", "samples": 1234},
        "gate": {"macro_f1": 0.9123, "parent_macro_f1": 0.8, "p": 0.0012, "judged": 250},
    }
    made = bundle.write(
        tmp_path / "a.eacf", dict(shipped.manifest.document) | {"training": {"lineage": told}}, shipped.model
    )
    store.keep((tmp_path / "a.eacf").read_bytes(), signature=None, now=0)
    store.serve(made.id, by=None, why="by hand", now=0)
    return store, made.id


def test_lineage_is_shown(with_lineage: tuple[Store, str]) -> None:
    store, made = with_lineage
    lines = run("list", "--store", store.folder, "--history").stdout.splitlines()
    assert lines[0].split()[:2] == ["model", "name"]
    assert lines[1].split()[:4] == [made, "testbed", "2", "serves"]
    assert lines[1].endswith(
        f"{TESTBED}  1,234 samples, 2025-01-31T12:00:00Z to 2025-02-01T12:00:00Z  "
        "F1 0.912 (parent 0.800), p 0.0012, 250 samples"
    )
    assert "before, setting" in lines[3]
    assert lines[5].split() == ["when", "what", "model", "why", "by", "key"]
    assert lines[6].split() == ["1970-01-01T00:00:00Z", "serve", made, "by", "hand", "this", "machine"]
    found = json.loads(run("list", "--store", store.folder, "--json").stdout)
    assert (found["serving"], found["setting"]) == (made, PUBLIC)
    assert found["kept"][0]["lineage"]["gate"] == {
        "macro_f1": 0.9123,
        "parent_macro_f1": 0.8,
        "p": 0.0012,
        "judged": 250,
    }


def test_a_terminal_gets_a_table(with_lineage: tuple[Store, str]) -> None:
    store, made = with_lineage
    ours, theirs = pty.openpty()
    command = [*EACF, "model", "list", "--store", str(store.folder)]
    environment = CLEAN | {"COLUMNS": "160", "TERM": "xterm"}
    done = subprocess.run(command, stdout=theirs, timeout=60, check=False, env=environment)
    os.close(theirs)
    shown = os.read(ours, 65536).decode()
    os.close(ours)
    assert done.returncode == 0
    assert "───" in shown
    assert made in shown
    assert "F1 0.912" in shown


# With a worker


@pytest.fixture
def bus() -> Iterator[Endpoints]:
    with EmbeddedBus() as embedded:
        yield embedded.endpoints


@pytest.fixture
def flags(bus: Endpoints) -> list[str]:
    return ["--subscribe-endpoint", bus.subscribe, "--publish-endpoint", bus.publish]


@pytest.fixture
def worker(tmp_path: Path, flags: list[str]) -> Iterator[Path]:
    """A real worker whose store is the folder, which trusts `ops.key` beside it."""
    keys.new(tmp_path / "ops")
    folder = tmp_path / "models"
    settings = ["--model-store", str(folder), "--trusted-keys", str(tmp_path / "ops.pub")]
    process = subprocess.Popen([*EACF, "worker", *flags, *settings], stderr=subprocess.PIPE, text=True, env=CLEAN)
    assert process.stderr is not None
    while "on the bus" not in process.stderr.readline():
        assert process.poll() is None
    yield folder
    process.terminate()
    _, last = process.communicate(timeout=20)
    assert process.returncode == 0, last


def report(bus: Endpoints) -> dict[str, Any]:
    (found,) = ask(bus, 5)
    return found


def becomes(bus: Endpoints, serving: str, shadow: str | None = None) -> None:
    """Wait until the worker says that these models are in use."""
    until = time.monotonic() + 20
    while True:
        found = report(bus)
        scoring = (found["shadow"] or {}).get("bundle", {}).get("id")
        if (found["bundle"]["id"], scoring) == (serving, shadow):
            return
        assert time.monotonic() < until, (found["bundle"], found["shadow"])
        time.sleep(0.05)


def test_a_running_worker_takes_local_changes_at_once(worker: Path, bus: Endpoints) -> None:
    becomes(bus, PUBLIC)
    done = run("promote", "testbed", "--store", worker)
    assert "the worker takes it now" in done.stdout, done.stderr
    becomes(bus, TESTBED)
    assert run("rollback", "--store", worker).returncode == 0  # to what the settings say
    becomes(bus, PUBLIC)
    assert run("shadow", TESTBED, "--store", worker).returncode == 0
    becomes(bus, PUBLIC, TESTBED)
    assert run("shadow", "off", "--store", worker).returncode == 0
    becomes(bus, PUBLIC)


def test_orders_over_the_bus(worker: Path, bus: Endpoints, flags: list[str], tmp_path: Path) -> None:
    store = Store.open(worker)
    store.keep(bundle.read_file(bundle.find("testbed")), signature=None, now=0)
    key = tmp_path / "ops.key"
    done = run("promote", TESTBED, "--key", key, *flags)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("worker ")
    assert ": serving" in done.stdout
    becomes(bus, TESTBED)
    assert store.state().serving == TESTBED
    assert run("rollback", "--key", key, *flags).returncode == 0
    becomes(bus, PUBLIC)
    stranger, _ = keys.new(tmp_path / "stranger")
    done = run("promote", TESTBED, "--key", stranger.path, *flags)
    assert done.returncode == 1
    assert f": refused: order: signed by key {stranger.id}, which is not trusted" in done.stdout
    assert report(bus)["bundle"]["id"] == PUBLIC
    shown = run("list", *flags)
    assert shown.returncode == 0
    assert shown.stdout.startswith("worker ")
    assert f"{TESTBED}  testbed 2" in shown.stdout
    assert json.loads(run("list", "--json", *flags).stdout)["models"]["serving"] == PUBLIC


def test_a_damaged_store_changes_nothing_in_a_worker_that_runs(
    worker: Path, bus: Endpoints, flags: list[str], tmp_path: Path
) -> None:
    whole = (worker / "state.json").read_bytes()
    (worker / "state.json").write_bytes(whole[:40])
    assert Store(worker, 10).tell_holder()
    done = run("promote", PUBLIC, "--key", tmp_path / "ops.key", *flags)
    assert done.returncode == 1
    assert ": refused: " in done.stdout
    assert "state.json: is damaged" in done.stdout
    assert report(bus)["bundle"]["id"] == PUBLIC
    assert (worker / "state.json").read_bytes() == whole[:40]
    (worker / "state.json").write_bytes(whole)
    assert run("promote", PUBLIC, "--key", tmp_path / "ops.key", *flags).returncode == 0


def test_nobody_there(flags: list[str], bus: Endpoints, tmp_path: Path) -> None:
    key, _ = keys.new(tmp_path / "ops")
    done = run("list", "--timeout", "0.5", *flags)
    assert (done.returncode, done.stdout) == (1, "")
    assert "no worker answered" in done.stderr
    done = run("rollback", "--key", key.path, "--timeout", "1", *flags)
    assert (done.returncode, done.stdout) == (1, "")
    assert "no worker on the bus takes orders" in done.stderr
