"""The watcher: waits for a reason, lets a turn be done in a process of its own, decides by its result, delivers.

It reads a database and a bus and never a model: TensorFlow is the turn's. Everything that it must not forget is a line in the log before
anything follows from it (:mod:`.home`), so that it may be killed at any instant.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import psutil

from eacf.bus import Endpoints, Peer
from eacf.errors import SettingError, WireError
from eacf.files import lock
from eacf.samples import Store, StoreError
from eacf.service import Notifier, Signals
from eacf.wire import ZEEK_TOPIC, Alarm, Hello, decode_message
from eacf_trainer.processes import THREADS
from eacf_trainer.watch import triggers
from eacf_trainer.watch.home import Home
from eacf_trainer.watch.sending import Line, Sender, text_of
from eacf_trainer.watch.settings import Settings

LOOK_S = 0.25
"""How often a training is looked at."""
END_S = 5.0
"""How long a training may take to end when it is told to."""
MAX_PAUSE_S = 3600.0
TURN_MESSAGES = 100
TAIL_BYTES = 2000
"""Of what a training wrote before it ended without a result."""
MAX_KINDS = 16
"""Kinds of alarms that are counted; a worker has fewer."""
HIDDEN = ("accepted", "learnt_ids", "released_before_ns", "database", "last", "learnt")
"""Of a result: what the log need not say."""

_log = logging.getLogger("eacf.watch")


class Ended(Exception):
    """SIGTERM or SIGINT came while a training ran; it was ended and will be done again."""


class Look(NamedTuple):
    """What the database holds."""

    new: int
    """Released samples with a label since the last update was tried."""
    window: int
    """Those since the last one was accepted."""
    released: int
    """Samples that arrived by then are (nanoseconds since the epoch)."""
    last: int
    """The last id."""


class Watcher:
    """See the module."""

    def __init__(
        self,
        home: Home,
        database: Path,
        settings: Settings,
        endpoints: Endpoints | None,
        signals: Signals,
        *,
        tell: Callable[[Line], None] = lambda line: None,
        show: Callable[[], None] = lambda: None,
        notifier: Notifier | None = None,
    ) -> None:
        """`endpoints` None: no bus; no alarm is heard, nothing is pushed. `tell` gets each line of the log; `show` is called when there
        were some and nothing urgent is left to do."""
        self.home = home
        self.heard: dict[str, int] = {}
        """Alarms by kind since the last update, and messages that could not be read as "malformed"."""
        self._database = database
        self._settings = settings
        self._signals = signals
        self._tell = tell
        self._show = show
        self._notifier = notifier or Notifier()
        self._unshown = False
        self._said = ""
        self._started = time.monotonic()
        self._tried_at: float | None = None
        self.sender = Sender(home, settings.delivery, endpoints, self._say, self._alive)
        self._peer: Peer | None = None
        if endpoints is not None and (settings.triggers.drift or self.sender.pushes):
            self._peer = Peer(endpoints, f"eacf-watch-{secrets.token_hex(6)}", [ZEEK_TOPIC])
            self._peer.wake_on(signals.descriptor)

    def close(self) -> None:
        if self._peer is not None:
            self._peer.close()

    def recover(self) -> None:
        """Finish what a watcher before this one left. Not before its training has ended."""
        try:
            with (self.home.path / "turn.lock").open("wb") as held:
                lock(held.fileno(), END_S)
        except BlockingIOError:
            raise SettingError(
                f"{self.home.path}: a training of another watcher still runs; end that process"
            ) from None
        found = self.home.result()
        if found is not None and int(found["turn"]) > self.home.state.turn:
            self._finish(found)
        elif found is not None:
            self._forget(found)
        self.home.drop_work()
        self.home.prune(self._settings.keep_runs, self._settings.keep_failed)

    def run(self, *, once: bool = False) -> Line | None:
        """Until a signal; `once`: one turn, if there is anything for it, and one attempt to deliver. The last update's line."""
        self._notifier.ready(self._idle())
        while True:
            line, look = None, self._look()
            if look is not None and (reason := self._reason(look, once)) is not None:
                line = self._turn(reason, look)
            self.sender.deliver(now=once)
            if self._unshown:
                self._show()
                self._unshown = False
            if once or self._signals.end:
                return line
            self._wait(self._settings.poll_s)
            if self._signals.end:
                return line

    def _look(self) -> Look | None:
        """What the database holds; None where it cannot be asked now."""
        state = self.home.state
        try:
            with Store.open(self._database, readonly=True) as store:
                released = store.now_ns(time.time_ns()) - round(self._settings.samples.quarantine_s * 1e9)
                return Look(
                    store.count_since(state.tried, released_before_ns=released),
                    store.count_since(state.accepted, released_before_ns=released),
                    released,
                    store.last_id(),
                )
        except (StoreError, SettingError) as error:
            if str(error) != self._said:
                _log.warning("no sample can be read: %s", error)
            self._said = str(error)
            return None

    def _reason(self, look: Look, once: bool) -> triggers.Reason | None:
        state, wanted = self.home.state, self._settings.triggers
        if once:
            return "once" if look.new else None
        now = time.monotonic()
        if self._tried_at is None and state.tried_at is not None:
            # Of a watcher before this one: by the wall clock, which may have been set back since.
            self._tried_at = now - max(0.0, time.time() - state.tried_at)
        since = None if self._tried_at is None else now - self._tried_at
        if state.failures and since is not None and since < min(wanted.pause_s * 2**state.failures, MAX_PAUSE_S):
            return None
        alarmed = any(kind != "malformed" for kind in self.heard)
        waited = now - self._started if since is None else since
        facts = triggers.Facts(look.new, look.window, since, waited, alarmed)
        return triggers.due(facts, wanted, paper=self._settings.paper)

    def _turn(self, reason: triggers.Reason, look: Look) -> Line:
        state = self.home.state
        begun = time.monotonic()
        serving = state.serving
        assert serving is not None, "begun with something"
        order = {
            "turn": state.turn + 1,
            "reason": reason,
            "alarms": dict(self.heard),
            "parent": str(self.home.run(serving).absolute()),
            "database": str(self._database.absolute()),
            "released_before_ns": look.released,
            "last": look.last,
            "accepted": state.accepted,
            "learnt": state.learnt,
            "created": text_of(time.time()),
            "settings": self._settings.document(),
        }
        _log.info("update %d begins: %s", order["turn"], reason)
        self._notifier.status(f"update {order['turn']} ({reason}) is at work")
        why = self._train(self.home.order(order))
        found = self.home.result()
        if found is None:
            found = {key: order[key] for key in ("turn", "reason", "alarms")} | {"accepted": False, "bundle": None}
            found["error"] = why or "the training ended without a result"
        found["wall_seconds"] = round(time.monotonic() - begun, 2)
        self._tried_at = time.monotonic()
        self.heard = {}
        line = self._finish(found)
        self._notifier.status(self._idle())
        self.home.drop_work()
        self.home.prune(self._settings.keep_runs, self._settings.keep_failed)
        return line

    def _train(self, work: Path) -> str | None:
        """Let the turn be done; why there is no result, if that is known. Raises Ended where a signal came."""
        limits = self._settings.process
        environment = os.environ | dict.fromkeys(THREADS, str(limits.threads)) | {"CUDA_VISIBLE_DEVICES": ""}
        with (work / "log.txt").open("wb") as log:
            child = subprocess.Popen(
                [sys.executable, "-m", "eacf_trainer.watch.turn", str(work)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
            )
        try:
            why = self._watch(psutil.Process(child.pid), child)
        finally:
            if child.poll() is None:
                child.kill()
            child.wait()
            assert child.stdin is not None
            child.stdin.close()
        if self._signals.end and child.returncode != 0:
            raise Ended
        if why is None and child.returncode:
            tail = (work / "log.txt").read_bytes()[-TAIL_BYTES:].decode("utf-8", "replace").strip().splitlines()
            why = f"the training ended with code {child.returncode}: {tail[-1] if tail else 'it said nothing'}"
        return why

    def _watch(self, process: psutil.Process, child: subprocess.Popen[bytes]) -> str | None:
        """Until it ends; why it was ended, if it was."""
        limits = self._settings.process
        until = time.monotonic() + limits.timeout_s
        with contextlib.suppress(psutil.Error):  # it has ended already, which is seen below
            process.nice(limits.niceness)
        while child.poll() is None:
            self._wait(LOOK_S)
            if self._signals.end:
                child.terminate()
                try:
                    child.wait(END_S)
                except subprocess.TimeoutExpired:
                    child.kill()
                return None
            try:
                used = sum(each.memory_info().rss for each in (process, *process.children(recursive=True))) / 1e6
            except psutil.Error:
                continue
            if used > limits.memory_mb:
                return (
                    f"the training took {used:.0f} MB, {limits.memory_mb} are allowed (process.memory_mb); it was ended"
                )
            if time.monotonic() > until:
                return f"the training took longer than {limits.timeout_s:g} s (process.timeout_s); it was ended"
        return None

    def _finish(self, found: Line) -> Line:
        """From a result to a line in the log; again, where a watcher was killed on the way, with the same end."""
        made, accepted = found.get("bundle"), bool(found["accepted"])
        outcome = "failed" if made is None else "accepted" if accepted else "rejected"
        if made is not None:
            self.home.keep_run(str(made), accepted=accepted, turn=int(found["turn"]))
        now = time.time()
        line = {"kind": "update", "outcome": outcome, "at": text_of(now), "at_s": round(now, 3), "why": why_of(found)}
        line |= {key: value for key, value in found.items() if key not in HIDDEN}
        self._say(line)
        self._forget(found)
        return line

    def _forget(self, found: Line) -> None:
        """As in the paper: samples go once they were used. One that cannot be removed now is not used again all the same."""
        ids = found.get("learnt_ids")
        if not ids or not found["accepted"]:
            return
        try:
            with Store.open(self._database) as store:
                store.forget(ids)
        except StoreError as error:
            _log.warning("samples that were used stay in the database: %s", error)

    def _say(self, line: Line) -> None:
        self.home.say(line)
        self._unshown = True
        self._tell(line)

    def _wait(self, seconds: float) -> None:
        """For a signal, or alarms, which are taken, until the time is over."""
        until = time.monotonic() + seconds
        while not self._signals.end and (now := time.monotonic()) < until:
            self._alive()
            left = min(until, self._notifier.due) - now
            if self._peer is None:
                time.sleep(min(left, LOOK_S))
                continue
            self._peer.wait(left)
            self._signals.clear()
            for frames in self._peer.receive(TURN_MESSAGES):
                self._hear(frames)

    def _alive(self) -> None:
        self._notifier.alive(time.monotonic())

    def _idle(self) -> str:
        state = self.home.state
        return f"model {state.serving} serves after {state.turn} updates; waits for samples"

    def _hear(self, frames: list[bytes]) -> None:
        try:
            message = decode_message(frames[3]) if len(frames) == 4 else None
        except WireError:
            self.heard["malformed"] = self.heard.get("malformed", 0) + 1
            return
        if isinstance(message, Hello):
            self.sender.met(message.worker, message.model)
        if not isinstance(message, Alarm):
            return
        serving = self.home.state.serving
        if message.model != serving and self.home.run(message.model).exists():
            return  # of a model that this watcher has replaced
        _log.info("worker %s has raised an alarm (%s): %s", message.worker, message.kind, message.text)
        if message.kind in self.heard or len(self.heard) < MAX_KINDS:
            self.heard[message.kind] = self.heard.get(message.kind, 0) + 1


def why_of(found: Line) -> list[str]:
    """What speaks against a candidate, in words; empty where it was accepted."""
    if found.get("error"):
        return [str(found["error"])]
    judgement = found.get("judgement") or {}
    return [str(check["text"]) for check in judgement.get("checks", ()) if not check["passed"]]
