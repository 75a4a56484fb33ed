"""From the 1,000th released sample to a new model that serves on every worker, by the programs that an operator runs, all by default."""

from __future__ import annotations

import json
import shutil
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import parts
import traffic

from eacf import bundle
from eacf.bus import EmbeddedBus

WORKERS = 2
WEEK = 3
FIRST = 400
"""Samples that are there before: too few for an update."""
LIMIT_S = 300.0


def measure(work: Path) -> dict[str, Any]:
    """Figures ``update*``: the shipped `testbed` model, traffic of a week in which applications have changed."""
    home = work / "update"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    key, database = parts.key(home), home / "samples.db"
    came = parts.samples(traffic.week(work / "traffic", 1, WEEK, "teach", 2000), "u")
    labelled = [number for number, (_, label) in enumerate(came) if label is not None]
    came = came[: labelled[999] + 1]
    before = bundle.load(bundle.find("testbed")).id
    parts.store(database, came[:FIRST])
    with ExitStack() as stack:
        bus = stack.enter_context(EmbeddedBus())
        hellos = parts.Hellos(bus)
        stack.callback(hellos.close)
        for number in range(WORKERS):
            command = [*parts.EACF, "worker", "--bundle", "testbed", "--model-store", str(home / f"store-{number}")]
            command += ["--trusted-keys", str(key.with_suffix(".pub")), *parts.flags(bus.endpoints)]
            stack.enter_context(parts.program(home / f"worker-{number}.log", *command))
        watch = [*parts.TRAIN, "watch", str(home / "loop"), "--db", str(database), "--from", "testbed"]
        watch += ["--labels", "testbed", "--key", str(key), "--quarantine", "0", *parts.flags(bus.endpoints)]
        stack.enter_context(parts.program(home / "watch.log", *watch))
        if not hellos.until(lambda: list(hellos.models.values()) == [before] * WORKERS):
            raise RuntimeError(f"the workers did not come up; see {home}")
        time.sleep(8)  # the watcher has looked at the database by then
        begun, begun_wall = time.monotonic(), time.time()
        parts.store(database, came[FIRST:])
        stored = time.monotonic() - begun
        if not hellos.until(lambda: all(model != before for model in hellos.models.values()), LIMIT_S):
            raise RuntimeError(f"no new model within {LIMIT_S:g} s; see {home}")
        took = time.monotonic() - begun
        time.sleep(2)
    lines = [json.loads(line) for line in (home / "loop" / "decisions.jsonl").read_text().splitlines()]
    (update,) = [line for line in lines if line["kind"] == "update"]
    inside = {f"update.{name}_s": value for name, value in update["seconds"].items()}
    decided = update["at_s"] - begun_wall
    return {
        "update_seconds": took,
        "update.samples_written_s": stored,
        "update.noticed_s": decided - update["wall_seconds"] - stored,
        "update.training_process_s": update["wall_seconds"],
        **inside,
        "update.signed_and_pushed_s": took - decided,
        "update.workers": WORKERS,
        "update.macro_f1_before": 100 * update["judgement"]["serving"]["macro_f1"],
        "update.macro_f1_after": 100 * update["judgement"]["candidate"]["macro_f1"],
    }
