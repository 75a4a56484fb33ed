"""The watcher around turns that were done, and one real turn from the command line to a worker's bus."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from eacf import bundle, keys
from eacf.bus import EmbeddedBus, Peer
from eacf.files import replace as put
from eacf.samples import Store
from eacf.service import Notifier, Signals
from eacf.wire import (
    ZEEK_TOPIC,
    encode_alarm,
)
from eacf_trainer.watch.decisions import read
from eacf_trainer.watch.home import LOG, RESULT, RUN, SHIPPED, SIGNED, TAKEN, Home
from eacf_trainer.watch.loop import Watcher, why_of
from eacf_trainer.watch.settings import Delivery, Settings
from eacf_trainer.watch.triggers import Triggers
from tests.trainer.watch.conftest import fill, flows, pretend_worker, turned

if TYPE_CHECKING:
    from tests.conftest import Manager

TESTBED = bundle.load(bundle.find("testbed")).id
PUBLIC = bundle.load(bundle.find("public")).id
WAIT_S = 120.0


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with Home.open(tmp_path / "home") as made:
        made.begin(SHIPPED / "testbed", "now")
        yield made


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "samples.db"
    fill(path, flows(60, 20))
    return path


def watcher(home: Home, database: Path, settings: Settings | None = None, **more: Any) -> Watcher:
    return Watcher(home, database, settings or Settings(), more.pop("endpoints", None), Signals(), **more)


def result(home: Home, *, accepted: bool = True, turn: int = 1, **more: Any) -> dict[str, Any]:
    """Leave a finished turn in the home: the model `public`, as if it had been made of `testbed`."""
    made = home.order({"turn": turn}) / RUN
    made.mkdir()
    for file in TAKEN:
        shutil.copy(SHIPPED / "public" / file, made / file)
    shutil.copy(bundle.find("public"), made / "public.eacf")
    found = {
        "turn": turn,
        "reason": "samples",
        "alarms": {},
        "accepted": accepted,
        "bundle": PUBLIC,
        "up_to": 50,
        "learnt_up_to": 40,
        "judgement": {"checks": [{"name": "better", "passed": accepted, "text": "not better"}]},
    } | more
    put(home.work / RESULT, json.dumps(found).encode())
    return found


def updates(home: Home) -> list[dict[str, Any]]:
    return [line for line in read(home.path / LOG) if line["kind"] == "update"]


@pytest.mark.parametrize("killed", ["with a result", "moved", "logged"])
@pytest.mark.parametrize("accepted", [True, False])
def test_a_finished_turn_is_decided_once_wherever_the_watcher_was_killed(
    home: Home, database: Path, killed: str, accepted: bool
) -> None:
    found = result(home, accepted=accepted)
    if killed != "with a result":
        home.keep_run(PUBLIC, accepted=accepted, turn=1)
    if killed == "logged":
        watcher(home, database)._finish(found)
    for _ in range(2):
        watcher(home, database).recover()
        assert len(updates(home)) == 1
        assert not home.work.exists()
    line = updates(home)[0]
    assert line["outcome"] == ("accepted" if accepted else "rejected")
    assert line["why"] == ([] if accepted else ["not better"])
    assert home.state.serving == (PUBLIC if accepted else TESTBED)
    kept = home.run(PUBLIC) if accepted else home.path / "failed" / f"1-{PUBLIC}"
    assert bundle.load(kept / "public.eacf").id == PUBLIC


def test_a_turn_without_a_result_leaves_nothing(home: Home, database: Path) -> None:
    (home.order({"turn": 1}) / RUN).mkdir()
    watcher(home, database).recover()
    assert updates(home) == []
    assert not home.work.exists()


def test_the_papers_way_removes_what_it_used(home: Home, database: Path) -> None:
    result(home, learnt_ids=list(range(1, 41)), judgement=None)
    watcher(home, database, Settings(paper=True)).recover()
    with Store.open(database, readonly=True) as store:
        assert [each.id for each in store.read()] == list(range(41, 61))


def test_alarms_on_the_bus_are_a_reason(home: Home, database: Path) -> None:
    with EmbeddedBus() as bus, Peer(bus.endpoints, "worker", [], watch=True) as worker:
        settings = Settings(triggers=Triggers(least=1, drift_new=1, pause_s=0, interval_s=0))
        watching = watcher(home, database, settings, endpoints=bus.endpoints)
        until = time.monotonic() + WAIT_S
        while not watching.heard and time.monotonic() < until:
            worker.send(ZEEK_TOPIC, b"no message")
            worker.send(ZEEK_TOPIC, encode_alarm("0" * 12, TESTBED, "accuracy", "fewer are right"))
            watching._wait(0.1)
        assert watching.heard.get("accuracy", 0) >= 1
        look = watching._look()
        assert look is not None
        assert watching._reason(look._replace(new=50, window=50), once=False) == "drift"
        watching.close()


def test_a_database_that_is_not_there_yet_is_waited_for(home: Home, tmp_path: Path) -> None:
    assert watcher(home, tmp_path / "none.db")._look() is None


def test_a_watchdog_sees_a_watcher_that_waits_for_a_training(home: Home, database: Path, manager: Manager) -> None:
    watching = watcher(home, database, notifier=Notifier(manager.name, 2.0))
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1.6)"])
    assert watching._watch(psutil.Process(child.pid), child) is None
    assert manager.hear() == ["WATCHDOG=1"] * len(manager.said)
    assert len(manager.said) >= 3


def test_a_watchdog_sees_a_watcher_that_pushes_to_workers_which_do_not_answer(
    home: Home, database: Path, manager: Manager, tmp_path: Path
) -> None:
    private, _ = keys.new(tmp_path / "ops")
    result(home)
    with EmbeddedBus() as bus:
        settings = Settings(delivery=Delivery(key=str(tmp_path / "ops.key"), wait_s=2.5))
        watching = watcher(home, database, settings, endpoints=bus.endpoints, notifier=Notifier(manager.name, 4.0))
        watching.recover()
        watching.sender.deliver(now=True)
        watching.close()
    assert home.state.pending == PUBLIC
    assert private.id
    assert manager.hear() == ["WATCHDOG=1"] * len(manager.said)
    assert len(manager.said) >= 2


def test_why_a_candidate_was_refused() -> None:
    assert why_of({"error": "no sample"}) == ["no sample"]
    assert why_of({}) == []


SETTINGS = """
labels = "testbed"
[samples]
quarantine_s = 0
[update]
epochs = 3
folds = 0
[gate]
{gate}
[process]
niceness = 0
{process}
"""


def command(tmp_path: Path, *more: str, gate: str = "alpha = 0.5", process: str = "") -> list[str]:
    (tmp_path / "watch.toml").write_text(SETTINGS.format(gate=gate, process=process))
    files = [
        str(tmp_path / "home"),
        "--db",
        str(tmp_path / "samples.db"),
        "--settings",
        str(tmp_path / "watch.toml"),
    ]
    return [
        sys.executable,
        "-c",
        "import sys; from eacf_trainer.cli import main; sys.exit(main())",
        "watch",
        *files,
        "--from",
        "testbed",
        *more,
    ]


@pytest.mark.slow
def test_from_samples_to_a_worker(tmp_path: Path) -> None:
    """Applications have changed: the update is accepted, signed and pushed, told and shown; the next turn has nothing to do."""
    fill(tmp_path / "samples.db", turned(flows(700, 21)))
    key, _ = keys.new(tmp_path / "ops")
    gate = "abstained = 1\ncalibration_error = 1\nunknown_said = 1"
    with EmbeddedBus() as bus, pretend_worker(bus, "a" * 12):
        where = ["--subscribe-endpoint", bus.endpoints.subscribe, "--publish-endpoint", bus.endpoints.publish]
        run = command(tmp_path, "--once", "--key", str(key.path), *where, gate=gate)
        done = subprocess.run(run, capture_output=True, text=True, timeout=WAIT_S, check=False)
        again = subprocess.run(run, capture_output=True, text=True, timeout=WAIT_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    _, line, pushed = read(tmp_path / "home" / LOG)
    assert (line["outcome"], line["samples"]["judged"] > 100) == ("accepted", True)
    assert f"update 1 (once): accepted {line['bundle']}, macro-F1" in done.stdout
    assert line["lineage"]["parent"] == TESTBED
    assert line["lineage"]["gate"]["p"] < 0.05
    assert set(line["seconds"]) == {"import", "read", "train", "judge", "write"}
    assert pushed["workers"] == {"a" * 12: ["serving", ""]}
    signed = bundle.load(tmp_path / "home" / "runs" / line["bundle"] / SIGNED)
    assert signed.manifest.signature is not None
    assert signed.manifest.signature.serial == pushed["serial"]
    page = (tmp_path / "home" / "report.html").read_text()
    assert str(line["bundle"]) in page
    assert "<script" not in page
    assert "Side by side" in (tmp_path / "home" / "pages" / "1.html").read_text()
    assert (again.returncode, again.stdout) == (0, "nothing to do: no new sample is released\n")


@pytest.mark.slow
def test_a_training_that_takes_too_much_memory_is_ended(tmp_path: Path) -> None:
    fill(tmp_path / "samples.db", flows(60, 20))
    done = subprocess.run(
        command(tmp_path, "--once", "--no-bus", process="memory_mb = 150"),
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
    )
    assert done.returncode == 1
    assert "150 are allowed (process.memory_mb)" in done.stdout, done.stderr
    line = list(read(tmp_path / "home" / LOG))[1]
    assert (line["outcome"], line["bundle"]) == ("failed", None)


def wait_for(path: Path, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + WAIT_S
    while not path.exists():
        assert process.poll() is None, "ended before"
        assert time.monotonic() < until, f"no {path}"
        time.sleep(0.01)


@pytest.mark.slow
def test_killed_at_any_point_it_goes_on(tmp_path: Path) -> None:
    fill(tmp_path / "samples.db", flows(700, 21))
    home = tmp_path / "home"
    for until in ("work/order.json", "work/run", "work/result.json"):
        process = subprocess.Popen(command(tmp_path, "--once", "--no-bus"), start_new_session=True)
        wait_for(home / until, process)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        if until == "work/result.json" or updates_at(home):
            break
        assert updates_at(home) == []
    done = subprocess.run(
        command(tmp_path, "--once", "--no-bus"), capture_output=True, text=True, timeout=WAIT_S, check=False
    )
    assert done.returncode in (0, 1), done.stderr
    lines = updates_at(home)
    assert [line["turn"] for line in lines] == list(range(1, len(lines) + 1))
    assert lines[0]["outcome"] in ("accepted", "rejected")
    with Home.open(home) as opened:
        serving = opened.state.serving
        assert serving is not None
        assert bundle.load(opened.bundle(serving)).id == serving
    assert not (home / "work").exists()


def updates_at(home: Path) -> list[dict[str, Any]]:
    return [line for line in read(home / LOG) if line["kind"] == "update"]
