"""One update, in a process of its own (``python -m eacf_trainer.watch.turn FOLDER``): read, train, judge, write. Loads TensorFlow.

FOLDER holds ``order.json``, written by the watcher. What comes out lies in ``FOLDER/run`` (a run folder) and, last of all and in one step,
``FOLDER/result.json``: a folder with a result is a turn that was finished, whatever happens to any process afterwards.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eacf import bundle, files
from eacf.errors import EacfError, SettingError
from eacf.labels import LabelRules
from eacf_trainer import learning, quantise, runs
from eacf_trainer.calibrate import Calibration
from eacf_trainer.export import TIMED_ROWS, TIMES, archive
from eacf_trainer.watch import data, gate, parent, settings, update
from eacf_trainer.watch.home import ORDER, RESULT, RUN
from eacf_trainer.watch.parent import Parent
from eacf_trainer.watch.parts import Parts, parts
from eacf_trainer.watch.settings import Settings
from eacf_trainer.watch.update import Candidate


@dataclass(frozen=True)
class Order:
    """What the watcher wants."""

    turn: int
    reason: str
    alarms: Mapping[str, int]
    parent: str
    """Its run folder."""
    database: str
    released_before_ns: int
    last: int
    """The last id that counts."""
    accepted: int
    learnt: int
    """Of :func:`eacf_trainer.watch.parts.parts`."""
    created: str
    """UTC."""
    settings: Mapping[str, Any]


class Clock:
    """How long each part took."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.monotonic()

    def done(self, name: str) -> None:
        now = time.monotonic()
        self.seconds[name] = round(now - self._last, 2)
        self._last = now


def work(order: Order, folder: Path, clock: Clock) -> dict[str, Any]:
    """The result's document; the run folder is written. Raises EacfError for what an operator can mend."""
    asked = settings.parse(order.settings, "order")
    before = parent.read(Path(order.parent))
    table = data.stored(
        Path(order.database), before.features, released_before_ns=order.released_before_ns, up_to=order.last
    )
    _check(table, before)
    golden = _golden(before, asked) if asked.golden and not asked.paper else None
    clock.done("read")
    chosen = _parts(table, asked, order)
    told = {
        "samples": len(table),
        "lacking": table.lacking,
        "learnt": len(chosen.learnt),
        "new": int(chosen.new.sum()),
        "calibrating": len(chosen.calibrating),
        "judged": len(chosen.judged),
    }
    made = update.train(
        before,
        _samples(table, chosen.learnt, chosen.new),
        _samples(table, chosen.calibrating),
        asked.update,
        asked.seed,
    )
    clock.done("train")
    judgement = None if asked.paper else _judged(before, made, table, chosen, asked, golden)
    clock.done("judge")
    window = table.arrived_ns[chosen.learnt]
    lineage = {
        "parent": before.id,
        "window": {
            "first": data.time_text(int(window.min())),
            "last": data.time_text(int(window.max())),
            "samples": len(chosen.learnt),
        },
        "gate": None if judgement is None else _short(judgement),
    }
    rules = _rules(table, made, asked) if made.added else {}
    written = save(made, folder / RUN, lineage=lineage, rules=rules, created=order.created, judgement=judgement)
    clock.done("write")
    return {
        "accepted": judgement is None or judgement.accepted,
        "bundle": written,
        "name": before.recipe.name,
        "parent": before.id,
        "lineage": lineage,
        "up_to": int(table.ids.max(initial=0)),
        "learnt_up_to": int(table.ids[chosen.learnt].max(initial=0)),
        "samples": told,
        "learnt_ids": [int(number) for number in table.ids[chosen.learnt]] if asked.paper else None,
        "candidate": {
            "labels": len(made.labels),
            "added": list(made.added),
            "kept": list(made.kept),
            "dropped": dict(made.dropped),
            "stale": made.stale,
            "calibrated": made.calibrated,
            "loss": made.losses[-1],
        },
        "judgement": None if judgement is None else judgement.document(),
    }


def _check(table: data.Table, before: Parent) -> None:
    """Raise SettingError where the database speaks of other things than the model."""
    found = {label for label in table.labels if label is not None}
    if found and not found & set(before.labels):
        raise SettingError(
            f"none of the labels in the database ({_some(found)}) is one that the model knows ({_some(before.labels)}); give "
            "`eacf collect` the label map that the model was fitted with, or fit a model to these labels first"
        )


def _some(labels: Iterable[str]) -> str:
    first, *rest = sorted(labels)
    return ", ".join([first, *rest[:2], *(["..."] if len(rest) > 2 else [])])


def _parts(table: data.Table, asked: Settings, order: Order) -> Parts:
    if not asked.paper:
        return parts(table.ids, table.labels, asked.samples, accepted=order.accepted, learnt=order.learnt)
    every = np.flatnonzero(table.ids > order.accepted)
    return Parts(every, np.ones(len(every), bool), every[:0], every[:0])


def _samples(table: data.Table, places: NDArray[np.int64], new: NDArray[np.bool_] | None = None) -> update.Samples:
    return update.Samples(
        table.table[places],
        [table.labels[place] for place in places],
        [table.clients[place] for place in places],
        new=new,
    )


def _judged(
    before: Parent, made: Candidate, table: data.Table, chosen: Parts, asked: Settings, golden: data.Table | None
) -> gate.Judgement:
    judging = table.table[chosen.judged]
    return gate.judge(
        scores(before, judging),
        scores(made, judging),
        [table.labels[place] for place in chosen.judged],
        [table.clients[place] for place in chosen.judged],
        asked.gate,
        costs=costs(before, made),
        golden=None if golden is None else _asked(before, made, golden),
        seed=asked.seed,
    )


def scores(model: Parent | Candidate, table: learning.Table) -> gate.Scores:
    """What a model's int8 file says of samples."""
    ends = quantise.inspect(model.model)
    rows = learning.rows(model.features, table)
    outputs = len(model.labels) + model.background
    logits = quantise.logits(model.model, ends, rows) if len(rows) else np.zeros((0, outputs), np.float32)
    return gate.Scores(tuple(model.labels), logits, model.calibration)


def costs(before: Parent, after: Candidate) -> tuple[gate.Cost, gate.Cost]:
    """Microseconds a flow at a batch of 32 on one thread, the least of several, in turn; size."""
    models, rows = (before.model, after.model), (before.ranges, after.ranges)
    runners = [
        quantise.runner(model, np.resize(own, (TIMED_ROWS, own.shape[1])))
        for model, own in zip(models, rows, strict=True)
    ]
    best = [float("inf"), float("inf")]
    for _ in range(TIMES):
        for number, run in enumerate(runners):
            begun = time.perf_counter()
            run()
            best[number] = min(best[number], time.perf_counter() - begun)
    first, second = (
        gate.Cost(least / TIMED_ROWS * 1e6, len(model) / 1000) for least, model in zip(best, models, strict=True)
    )
    return first, second


def _golden(before: Parent, asked: Settings) -> data.Table:
    """The operator's samples, read before anything is trained: a file that cannot be read is told at once."""
    return data.recorded(Path(asked.golden), before.features, LabelRules.find(asked.labels))


def _asked(before: Parent, made: Candidate, golden: data.Table) -> gate.Golden:
    """What both say of those whose labels one of them knows."""
    union = set(before.labels) | set(made.labels)
    places = np.array([place for place, label in enumerate(golden.labels) if label in union], np.int64)
    table = golden.table[places]
    return gate.Golden([golden.labels[place] or "" for place in places], scores(before, table), scores(made, table))


def _rules(table: data.Table, made: Candidate, asked: Settings) -> dict[str, str]:
    """Rules of the label map for labels that are new, of names that no rule of the parent claims."""
    found = LabelRules.find(asked.labels).bundle_rules(sorted({name for name in table.names if name}), made.added)
    there = {_pattern(rule) for rule in made.parent.document["label_map"]}
    return {rule: label for rule, label in found.items() if _pattern(rule) not in there}


def _pattern(rule: str) -> str:
    lower = rule.lower().rstrip(".")
    return f"*{lower}" if lower.startswith(".") else lower


def _short(judgement: gate.Judgement) -> dict[str, Any]:
    return {
        "macro_f1": judgement.candidate["macro_f1"],
        "parent_macro_f1": judgement.serving["macro_f1"],
        "p": judgement.p,
        "judged": judgement.judged,
    }


def save(
    made: Candidate,
    folder: Path,
    *,
    lineage: Mapping[str, Any],
    rules: Mapping[str, str] | None = None,
    created: str | None = None,
    judgement: gate.Judgement | None = None,
) -> str:
    """Write a run folder that another update can go on from; the id of its bundle."""
    folder.mkdir(parents=True, exist_ok=True)
    figures = {} if judgement is None else {"gate": dict(judgement.candidate)}
    document = made.document(lineage=lineage, rules=rules, created=created, figures=figures)
    recipe = made.parent.recipe
    written = bundle.write(folder / f"{recipe.name}.eacf", document, made.model)
    files.replace(folder / "weights.npz", archive(dict(made.weights)))
    files.replace(folder / "ranges.npz", archive({"rows": made.ranges}))
    _write(folder / "features.json", made.features.spec())
    _write(folder / "calibration.json", calibration_document(made.calibration, made.mu, made.sd))
    _write(folder / "versions.json", runs.versions())
    _write(
        folder / "config.json",
        {"recipe": recipe.document(), "seed": made.seed, "lineage": dict(lineage), "bundle": written.id},
    )
    return written.id


def calibration_document(found: Calibration, mu: int, sd: float) -> dict[str, Any]:
    """As ``calibration.json`` says it."""
    return {
        "slope": found.slope,
        "offset": found.offset,
        "known": found.known.tolist(),
        "thresholds": found.thresholds.tolist(),
        "mu": mu,
        "sd": sd,
    }


def _write(path: Path, document: Mapping[str, Any]) -> None:
    files.replace(path, json.dumps(document, indent=1, allow_nan=False).encode() + b"\n")


def end_with(descriptor: int) -> None:
    """Let this process end when the other end of a pipe does: its watcher was killed."""

    def wait() -> None:
        while os.read(descriptor, 1):
            pass
        os._exit(3)

    threading.Thread(target=wait, daemon=True).start()


def main(folder: Path) -> int:
    """Do what ``order.json`` says. Exit codes: 0 there is a result, 1 no, and why is on standard error."""
    end_with(0)
    clock = Clock()
    order = Order(**json.loads((folder / ORDER).read_bytes()))
    with (folder.parent / "turn.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        clock.seconds["import"] = round(time.time() - _begun(), 2)
        try:
            result = work(order, folder, clock)
        except (EacfError, SettingError) as error:
            result = {"accepted": False, "bundle": None, "error": str(error)}
        document = asdict(order) | result | {"seconds": clock.seconds}
        document.pop("settings")
        _write(folder / RESULT, document)
    return 0


def _begun() -> float:
    """When this process was started (seconds since the epoch)."""
    import psutil

    return float(psutil.Process().create_time())


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
