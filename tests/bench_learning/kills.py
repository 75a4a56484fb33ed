"""Kill -9 at random instants, then look: is what is on the disk whole, does one model serve, is a decision lost?

Of the kills, four in ten hit a worker while models are pushed and orders given, four in ten a collector while samples come, the rest a
watcher or the training that it has begun. After each the same program is started again on what is there.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import parts
import traffic
from parts import flags
from swaps import serial, version

from eacf import bundle, keys
from eacf.bundle import signing
from eacf.bus import EmbeddedBus, Peer
from eacf.delivery import Outcome, push, send_order
from eacf.errors import EacfError
from eacf.models import Store, orders
from eacf.wire import TapReady, decode_message, encode_flows, encode_tap_who, verdict_topic
from eacf_trainer.testbed.load import samples
from eacf_trainer.watch.home import folded

SAFE_S = 1.3
"""What was with a collector for so long before its end must be in the file: it commits every second."""
TURN_S = 16.0
"""About what a watcher's turn takes; kills are spread over it."""


def measure(work: Path, count: int) -> dict[str, Any]:
    """Figures ``kills.*``."""
    home = work / "kills"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    found: dict[str, list[str]] = {}
    shares = {"worker": 2 * count // 5, "collector": 2 * count // 5}
    shares["watcher"] = count - sum(shares.values())
    for name, kind in (("worker", Workers), ("collector", Collectors), ("watcher", Watchers)):
        killing = kind(home, random.Random(name))
        try:
            for number in range(shares[name]):
                if why := killing.once(number):
                    found.setdefault(name, []).append(why)
                    print(f"  {name} {number}: {why}", file=sys.stderr, flush=True)
        finally:
            killing.close()
        print(f"  {name}: {shares[name]} kills, {len(found.get(name, []))} inconsistent", file=sys.stderr, flush=True)
    return {
        "kills.inconsistent": sum(map(len, found.values())),
        **{f"kills.{name}": number for name, number in shares.items()},
        "kills.what": found,
    }


def kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGKILL)
    process.wait()


class Workers:
    """A worker is killed while somebody pushes and gives orders."""

    def __init__(self, home: Path, rng: random.Random) -> None:
        self._home, self._rng = home, rng
        self._key = parts.key(home)
        self._bus = EmbeddedBus()
        self._hellos = parts.Hellos(self._bus)
        self._first = bundle.load(bundle.default_path()).id
        self._promised: str | None = None
        """What a worker said that it serves, by its word to a pusher."""
        self._process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        command = [*parts.EACF, "worker", "--model-store", str(self._home / "store"), "--keep-models", "4"]
        command += ["--trusted-keys", str(self._key.with_suffix(".pub")), *flags(self._bus.endpoints)]
        with (self._home / "worker.log").open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log)

    def once(self, number: int) -> str | None:
        self._hellos.models.clear()
        if number % 5 == 4:  # while it starts
            time.sleep(self._rng.uniform(0, 1.5))
            outcome: dict[str, Outcome] = {}
        else:
            if not self._hellos.until(lambda: self._hellos.models):
                return "the worker did not come back"
            outcome = self._act(number)
        kill(self._process)
        return self._look(outcome)

    def _act(self, number: int) -> dict[str, Outcome]:
        """A push or an order, and the kill somewhere in between."""
        private = keys.PrivateKey.read(self._key)
        self._wanted = None
        if number % 3 == 2 and len(kept := Store.open(self._home / "store").state().kept) > 1:
            self._wanted = self._rng.choice(kept).id
            order = orders.sign("promote", self._wanted, private, serial(self._key))
            task = threading.Thread(target=lambda: told.update(send_order(self._bus.endpoints, order, wait_s=2)))
        else:
            made = version(self._home, f"kill-{number}")
            self._wanted = bundle.load(made).id
            data = signing.sign(made.read_bytes(), private, serial=serial(self._key))
            made.unlink()
            task = threading.Thread(target=lambda: told.update(push(self._bus.endpoints, data, wait_s=2)))
        told: dict[str, Outcome] = {}
        task.start()
        time.sleep(self._rng.uniform(0, 1.2))
        kill(self._process)
        task.join()
        return told

    def _look(self, outcome: dict[str, Outcome]) -> str | None:
        for each in outcome.values():
            if each.what == "serving":
                self._promised = self._wanted
        try:
            store = Store.open(self._home / "store")
            state = store.state()
            held = [bundle.load(store.path(each.id)).id for each in state.kept]
        except (EacfError, OSError) as error:
            return f"the store is not whole: {error}"
        finally:
            self._process = self._start()
        if held != [each.id for each in state.kept]:
            return "the store names other bundles than it holds"
        serving = state.serving or self._first
        self._hellos.models.clear()
        if not self._hellos.until(lambda: self._hellos.models):
            return "the worker did not come back"
        if list(self._hellos.models.values()) != [serving]:
            return f"the store says {serving}, the worker serves {self._hellos.models}"
        if outcome and any(each.what == "serving" for each in outcome.values()) and self._promised != serving:
            return f"the worker promised to serve {self._promised}, and serves {serving}"
        return None

    def close(self) -> None:
        kill(self._process)
        self._hellos.close()
        self._bus.close()


class Collectors:
    """A collector is killed while samples come."""

    def __init__(self, home: Path, rng: random.Random) -> None:
        self._database, self._home, self._rng = home / "samples.db", home, rng
        self._bus = EmbeddedBus()
        self._number = itertools.count()
        self._sent: dict[str, float] = {}

    def once(self, number: int) -> str | None:
        command = [*parts.EACF, "collect", "--db", str(self._database), "--labels", "testbed", "--client-share", "1"]
        command += ["--rows-per-label", "1000000", "--background", "1000000", *flags(self._bus.endpoints)]
        with (self._home / "collect.log").open("ab") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        heard = self._feed(
            process, self._rng.uniform(0.0, 3.0) if number % 5 else self._rng.uniform(0, 0.8), bool(number % 5)
        )
        killed = time.monotonic()
        if not heard:
            return "the collector did not come"
        return self._look(killed)

    def _feed(self, process: subprocess.Popen[bytes], lives_s: float, waits: bool) -> bool:
        """Play the sensor until it is time to kill; False where no tap ever spoke. `waits`: the time counts from its first word."""
        me = verdict_topic("bench")
        until = time.monotonic() + (parts.START_S if waits else lives_s)
        source = itertools.cycle(samples(9, 4096, 0, 0, 8))
        with Peer(self._bus.endpoints, "bench", [me], watch=True) as peer:
            topic, room, sent, heard = None, 0, 0, False
            while time.monotonic() < until:
                peer.wait(0.005)
                for added, each in peer.subscriptions():
                    if added and each.startswith(b"eacf.tap."):
                        topic, sent = each, 0
                        peer.send(topic, encode_tap_who(me.decode()))
                for frames in peer.receive(100):
                    message = decode_message(frames[3])
                    if isinstance(message, TapReady):
                        room = message.window - (sent - message.received)
                        if not heard and waits:
                            until = time.monotonic() + lives_s
                        heard = True
                if topic is not None and room >= 16:
                    flows = []
                    for _ in range(16):
                        each = next(source)
                        each.uid = f"K{next(self._number)}"
                        flows.append(each)
                    if peer.send(topic, encode_flows(me.decode(), flows)):
                        now = time.monotonic()
                        self._sent |= {each.uid: now for each in flows}
                        sent, room = sent + 16, room - 16
            kill(process)
        return heard or not waits

    def _look(self, killed: float) -> str | None:
        """Everything that was sent long enough before the kill, in this run or an earlier one, is there."""
        if not self._database.exists():
            return None
        try:
            with closing(sqlite3.connect(self._database)) as db:
                said = db.execute("PRAGMA integrity_check").fetchone()[0]
                there = {row[0] for row in db.execute("SELECT uid FROM samples")} if said == "ok" else set()
        except sqlite3.Error as error:
            return f"the database cannot be read: {error}"
        if said != "ok":
            return f"the database is not whole: {said}"
        lost = [uid for uid, at in self._sent.items() if at < killed - SAFE_S and uid not in there]
        self._sent = {uid: float("-inf") for uid in there}
        return f"{len(lost)} samples that were there for {SAFE_S:g} s are lost" if lost else None

    def close(self) -> None:
        self._bus.close()


class Watchers:
    """A watcher is killed, or the training that it has begun; then a turn must come to its end, once."""

    def __init__(self, home: Path, rng: random.Random) -> None:
        self._home, self._rng = home, rng
        self._loop, self._database = home / "loop", home / "watched.db"
        self._came = parts.samples(traffic.week(home.parent / "traffic", 1, 3, "teach", 2000), "w")
        settings = home / "watch.toml"
        settings.write_text("[triggers]\nleast = 300\n[update]\nepochs = 4\n[gate]\nalpha = 0.5\n")
        self._command = [*parts.TRAIN, "watch", str(self._loop), "--db", str(self._database), "--from", "testbed"]
        self._command += ["--labels", "testbed", "--quarantine", "0", "--no-bus", "--once", "--settings", str(settings)]

    def once(self, number: int) -> str | None:
        begin = number * 50 % 1500
        parts.store(self._database, self._came[begin : begin + 500])
        with (self._home / "watch.log").open("ab") as log:
            process = subprocess.Popen(self._command, stdout=log, stderr=log)
            time.sleep(self._rng.uniform(0, TURN_S))
            if number % 3 == 2:  # the training alone: the watcher must say that it failed
                self._kill_training(process.pid)
                process.wait(60)
            kill(process)
            before = self._lines()
            if isinstance(before, str):
                return before
            done = subprocess.run(self._command, stdout=log, stderr=log, timeout=240, check=False)
        after = self._lines()
        if isinstance(after, str):
            return after
        if done.returncode not in (0, 1):
            return f"the watcher did not go on: it ended with {done.returncode}"
        if after[: len(before)] != before:
            return "a decision that was in the log is gone"
        turns = [line["turn"] for line in after if line["kind"] == "update"]
        if turns != list(range(1, len(turns) + 1)):
            return f"turns in the log: {turns}"
        return self._runs(after)

    def _lines(self) -> list[dict[str, Any]] | str:
        log = self._loop / "decisions.jsonl"
        try:
            text = log.read_text() if log.exists() else ""
            return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]
        except ValueError as error:
            return f"the log has a line that is none: {error}"

    def _runs(self, lines: list[dict[str, Any]]) -> str | None:
        """The serving model's run folder is whole, and nothing half-made lies about."""
        serving = folded(lines).serving
        if serving is None:
            return "no model serves"
        folder = self._loop / "runs" / serving
        try:
            found = [bundle.load(path).id for path in folder.glob("*.eacf")]
        except (EacfError, OSError) as error:
            return f"the serving run is not whole: {error}"
        if found != [serving]:
            return f"the serving run {serving} holds {found}"
        odd = [path.name for path in (self._loop / "runs").iterdir() if path.name.startswith(".")]
        return f"left over: {odd}" if odd or (self._loop / "work").exists() else None

    def _kill_training(self, watcher: int) -> None:
        import psutil

        with suppress(psutil.Error):
            for child in psutil.Process(watcher).children():
                os.kill(child.pid, signal.SIGKILL)

    def close(self) -> None:
        """Nothing runs."""
