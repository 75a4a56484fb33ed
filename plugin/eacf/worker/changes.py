"""Changes of model: what takes long in a thread of its own, one at a time; the swap itself between two batches.

While that thread waits for the process that tries a model, or for the disk, flows are served. If anything is wrong with
what came, the models in use stay.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread

from eacf.delivery.intake import Arrived, Intake, Ordered, Task
from eacf.delivery.outcome import Outcome
from eacf.engine import Engine
from eacf.errors import BundleError, SettingError
from eacf.service import Signals
from eacf.worker.shelf import Change, Shelf, Used

_log = logging.getLogger("eacf.worker")


class Changes:
    """See the module. `intake`: None where no models are taken."""

    def __init__(self, engine: Engine, shelf: Shelf, intake: Intake | None, wake: Callable[[], None]) -> None:
        self._engine = engine
        self._shelf = shelf
        self._intake = intake
        self._wake = wake
        self._shadow: str | None = None
        self._task: Task | None = None
        self._running: Future[Change] | None = None

    @property
    def used(self) -> Used:
        """What the engine works with now."""
        return Used(self._engine.model.bundle.id, self._shadow)

    @property
    def busy(self) -> bool:
        """Something is under way."""
        return self._running is not None

    def began_with_shadow(self, model_id: str | None) -> None:
        """What scores since the start."""
        self._shadow = model_id

    def step(self, signals: Signals, now: float) -> None:
        """Take what is ready, and start what is next."""
        self.finish(now)
        if self._running is not None:
            return
        if signals.reload:
            signals.reload = False
            self._trust_again()
            self._start(None)
        elif self._intake is not None and (task := self._intake.take()) is not None:
            self._start(task)

    def finish(self, now: float) -> None:
        """Take what is ready."""
        if self._running is not None and self._running.done():
            running, task = self._running, self._task
            self._running = self._task = None
            self._took(task, running, now)

    def _start(self, task: Task | None) -> None:
        self._task = task
        self._running = Future()
        Thread(target=self._work, args=(task, self.used, self._running), name="eacf-change", daemon=True).start()

    def _work(self, task: Task | None, used: Used, running: Future[Change]) -> None:
        """In the thread."""
        try:
            match task:
                case Arrived() if self._intake is not None:
                    change = self._shelf.arrived(task, self._intake.trusted, used)
                case Ordered():
                    change = self._shelf.ordered(task, used)
                case _:
                    change = self._shelf.again(used)
            running.set_result(change)
        except (BundleError, SettingError, OSError) as error:
            running.set_exception(error)
        finally:
            running.cancel()  # without effect unless a bug of ours came up, which then ends the worker
            self._wake()

    def _took(self, task: Task | None, running: Future[Change], now: float) -> None:
        """In the loop, between two batches."""
        serving = self._engine.model.bundle.id
        try:
            change = running.result()
        except (BundleError, SettingError, OSError) as error:
            change = Change(Outcome("refused", str(error)))
        if change.outcome.taken:
            self._make(change)
            _log.info("%s: %s %s", _name(task), change.outcome.what, change.outcome.reason)
        else:
            self._engine.keep()
            _log.error("the bundle in use stays (%s): %s", serving, change.outcome.reason)
        if self._intake is not None and task is not None:
            self._intake.finished(task, change.outcome, now, sha256=change.sha256, damaged=change.damaged)

    def _make(self, change: Change) -> None:
        if change.serve is not None:
            _log.info("bundle %s takes the place of %s", change.serve.bundle.id, self._engine.model.bundle.id)
            self._engine.swap(change.serve)
        if change.shadow_changes:
            self._shadow = None if change.shadow is None else change.shadow.bundle.id
            self._engine.set_shadow(change.shadow)

    def _trust_again(self) -> None:
        if self._intake is None:
            return
        try:
            self._intake.trusted = self._shelf.trusted()
        except SettingError as error:
            _log.error("the trusted keys stay as they were: %s", error)


def _name(task: Task | None) -> str:
    match task:
        case Arrived(offered=offered):
            return f"bundle {offered.model} ({offered.title}) of key {offered.signature.key}"
        case Ordered(order=order):
            return f"{order.why} of key {order.key}"
    return "read again"
