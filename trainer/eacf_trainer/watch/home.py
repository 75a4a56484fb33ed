"""The watcher's folder: runs, failed candidates, the turn at work, and the log that is the only truth.

::

    HOME/
      decisions.jsonl   what was decided (decisions.py); the state follows from it and from nothing else
      runs/ID/          run folders: what was begun with, and what was accepted since
      failed/TURN-ID/   run folders of candidates that the gate refused
      work/             the turn at work: order.json, run/, and result.json once it is finished
      report.html       what was decided, for people; pages/TURN.html for one update each
      lock, turn.lock   held by the watcher, and by a training

Killed at any instant: a turn without a result is thrown away and done again, one with a result is finished, once.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, Self

from eacf import bundle
from eacf.bundle import Bundle
from eacf.errors import BundleError, SettingError
from eacf.files import replace as put
from eacf.files import sync_folder
from eacf_trainer.watch.decisions import Decisions, read

SHIPPED = Path(__file__).parents[1] / "shipped"
"""Run folders that eacf ships."""
LOG, RUNS, FAILED, WORK = "decisions.jsonl", "runs", "failed", "work"
ORDER, RESULT, RUN = "order.json", "result.json", "run"
SIGNED = "signed.eacf"
TAKEN = ("weights.npz", "ranges.npz", "features.json", "calibration.json", "config.json")
"""Of a run folder that is begun with; its bundle beside."""


@dataclass(frozen=True)
class State:
    """What follows from the log."""

    turn: int = 0
    """The last update that was tried."""
    serving: str | None = None
    """The bundle that clones are made of, and that workers were sent, by its id. None: nothing was begun with."""
    accepted: int = 0
    """Last sample's id that was there when `serving` was accepted."""
    learnt: int = 0
    """Last sample's id that `serving` learnt from."""
    tried: int = 0
    """Last sample's id that was there when an update was tried last."""
    tried_at: float | None = None
    """When that was (seconds since the epoch)."""
    failures: int = 0
    """Updates in a row that ended without a candidate."""
    pending: str | None = None
    """The bundle that no worker has taken yet."""

    def after(self, line: Mapping[str, Any]) -> State:
        """The state once this line is in the log."""
        match line:
            case {"kind": "begin", "bundle": str(bundle_id)}:
                return replace(self, serving=bundle_id, pending=None)
            case {"kind": "update", "outcome": outcome, "turn": int(turn), "at_s": float() | int() as at}:
                tried = replace(self, turn=turn, tried_at=float(at))
                if outcome == "failed":
                    return replace(tried, failures=self.failures + 1)
                up_to = int(line["up_to"])
                tried = replace(tried, tried=up_to, failures=0)
                if outcome == "rejected":
                    return tried
                serving = str(line["bundle"])
                return replace(
                    tried, serving=serving, accepted=up_to, learnt=int(line["learnt_up_to"]), pending=serving
                )
            case {"kind": "push", "bundle": pushed, "done": True} if pushed == self.pending:
                return replace(self, pending=None)
        return self


def folded(lines: Iterable[Mapping[str, Any]]) -> State:
    """The state after all of them."""
    state = State()
    for line in lines:
        state = state.after(line)
    return state


class Home:
    """See the module. One process has it at a time."""

    def __init__(self, path: Path, lock: BinaryIO) -> None:
        self.path = path
        self._lock = lock
        self._log = Decisions(path / LOG)
        self.torn = self._log.torn
        self.state = folded(read(path / LOG))

    @classmethod
    def open(cls, path: Path) -> Self:
        """Make it where it is not there. SettingError where that cannot be, or another watcher has it."""
        try:
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
            for name in (RUNS, FAILED):
                (path / name).mkdir(exist_ok=True)
            lock = (path / "lock").open("wb")
        except OSError as error:
            raise SettingError(f"{path}: {error.strerror}; name a folder that can be written") from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            raise SettingError(f"{path}: another watcher works there; end that one, or name another folder") from None
        return cls(path, lock)

    def close(self) -> None:
        """Leave it to others."""
        self._log.close()
        self._lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def work(self) -> Path:
        return self.path / WORK

    def run(self, bundle_id: str) -> Path:
        """The run folder of a bundle."""
        return self.path / RUNS / bundle_id

    def bundle(self, bundle_id: str) -> Path:
        """The bundle's file in its run folder. SettingError where there is none."""
        found = [path for path in sorted(self.run(bundle_id).glob("*.eacf")) if path.name != SIGNED]
        if not found:
            raise SettingError(f"{self.run(bundle_id)}: holds no bundle; put the run folder of {bundle_id} back")
        return found[0]

    def say(self, line: Mapping[str, Any]) -> None:
        """Put a line into the log; the state follows. LogError."""
        self._log.append(line)
        self.state = self.state.after(line)

    def begin(self, folder: Path, at: str) -> str:
        """Take a run folder over, to go on from; the id of its bundle. SettingError where it is not whole."""
        config, source, held = finished(folder)
        bundle_id = held.id
        if not self.run(bundle_id).exists():
            making = self.path / RUNS / f".{bundle_id}"
            shutil.rmtree(making, ignore_errors=True)
            making.mkdir()
            for file in TAKEN:
                try:
                    put(making / file, (folder / file).read_bytes())
                except OSError as error:
                    raise SettingError(f"{folder}: is not whole ({file}: {error.strerror})") from None
            put(making / f"{config['recipe']['name']}.eacf", source.read_bytes())
            move(making, self.run(bundle_id))
        self.say({"kind": "begin", "at": at, "bundle": bundle_id, "from": str(folder)})
        return bundle_id

    def order(self, document: Mapping[str, Any]) -> Path:
        """A new turn's folder with its order; what lay there goes."""
        self.drop_work()
        self.work.mkdir(mode=0o700)
        put(self.work / ORDER, json.dumps(document).encode())
        return self.work

    def result(self) -> dict[str, Any] | None:
        """What the turn at work has come to; None: it was not finished, or there is none. SettingError where it is no JSON."""
        try:
            found = json.loads((self.work / RESULT).read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise SettingError(f"{self.work / RESULT}: cannot be read ({error}); remove {self.work}") from None
        return found if isinstance(found, dict) else None

    def keep_run(self, bundle_id: str, *, accepted: bool, turn: int) -> None:
        """Put what the turn at work made where it belongs; again, where that was done, changes nothing."""
        target = self.run(bundle_id) if accepted else self.path / FAILED / f"{turn}-{bundle_id}"
        made = self.work / RUN
        if made.exists() and not target.exists():
            move(made, target)

    def drop_work(self) -> None:
        """The turn at work is over, whatever came of it. Its result goes first: half of a folder is no result."""
        (self.work / RESULT).unlink(missing_ok=True)
        shutil.rmtree(self.work, ignore_errors=True)

    def prune(self, keep_runs: int, keep_failed: int) -> None:
        """Remove the oldest run folders; never those of the serving bundle and its parent."""
        held = {self.state.serving}
        if self.state.serving is not None:
            held.add(parent_of(self.run(self.state.serving)))
        for folder, most in ((self.path / RUNS, keep_runs), (self.path / FAILED, keep_failed)):
            runs = sorted(
                (each for each in folder.iterdir() if each.is_dir()),
                key=lambda each: each.stat().st_mtime,
                reverse=True,
            )
            for old in runs[most:]:
                if old.name not in held:
                    shutil.rmtree(old, ignore_errors=True)


def finished(folder: Path) -> tuple[dict[str, Any], Path, Bundle]:
    """``config.json`` of a run folder whose network was trained to the end; where its bundle lies (beside it; a shipped run's is the
    plugin's), and what it holds. SettingError."""
    shipped = ", ".join(sorted(path.name for path in SHIPPED.iterdir()))
    remedy = f"name a folder that `eacf-train fit` wrote, or a shipped one: {shipped}"
    try:
        config = json.loads((folder / "config.json").read_bytes())
        name, kind, wanted = config["recipe"]["name"], config["recipe"]["network"]["kind"], config["bundle"]
    except (OSError, ValueError, LookupError, TypeError):
        raise SettingError(
            f"{folder}: no run folder of a finished model (config.json tells of none); {remedy}"
        ) from None
    if kind == "estimator":
        raise SettingError(f"{folder}: its model is an estimator, which cannot be updated; name a network's run folder")
    if not wanted or not isinstance(name, str):
        raise SettingError(f"{folder}: no run folder of a finished model (config.json names no bundle); {remedy}")
    beside = folder / f"{name}.eacf"
    path = bundle.find(name) if name in bundle.shipped() and not beside.exists() else beside
    try:
        held = bundle.load(path)
    except BundleError as error:
        raise SettingError(f"{folder}: its bundle cannot be read: {error}") from None
    if held.id != wanted:
        raise SettingError(f"{path}: is bundle {held.id}, the run's is {wanted}; put the run's own into {folder}")
    return config, path, held


def parent_of(folder: Path) -> str | None:
    """Which bundle a run folder's was made of; None: not told."""
    try:
        lineage = json.loads((folder / "config.json").read_bytes()).get("lineage") or {}
        found = lineage.get("parent")
    except (OSError, ValueError, AttributeError):
        return None
    return found if isinstance(found, str) else None


def move(source: Path, target: Path) -> None:
    """Rename a folder; both places are on disk when this returns."""
    for each in source.iterdir():
        descriptor = os.open(each, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
    source.rename(target)
    sync_folder(target.parent)
    sync_folder(source.parent)
