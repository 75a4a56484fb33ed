"""A loop around the engine, with the bus on one side and signals on the other.

SIGTERM (and SIGINT) ends it in order: it leaves its topics, so that Zeek sends no more, serves what is there, and goes;
a second one ends it at once. SIGHUP reads the store and the bundle again; the change is made between two batches.
Messages about models go to the intake and never wait behind flows, nor flows behind them.
"""

from __future__ import annotations

import gc
import logging
import secrets
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from eacf.bus import Endpoints, Peer
from eacf.delivery.incoming import Incoming
from eacf.delivery.intake import Intake
from eacf.engine import Engine
from eacf.engine.notices import Notices
from eacf.metrics import serving
from eacf.models import State, Store
from eacf.service import Notifier, Signals, join
from eacf.settings import Settings
from eacf.status import process_facts
from eacf.truth import TruthLog
from eacf.wire import CONTROL_REQUEST_TOPIC, MODEL_PREFIX, ZEEK_TOPIC, flow_topic, model_topic
from eacf.worker.changes import Changes
from eacf.worker.shelf import Shelf

DRAIN_MESSAGES = 256
"""Messages taken from the socket in one go; many times what a batch serves, so the socket is emptied at any load."""
QUIET_S = 0.1
"""At the end: nothing has come for so long, so nothing is on its way."""
LOOK_S = 10.0
"""How late a line of live accuracy may be while nothing else happens."""
LINGER_S = 1.0
"""At the end: time for the last verdicts to leave the socket."""

_log = logging.getLogger("eacf.worker")
_clock = time.monotonic


def run(settings: Settings) -> int:
    """Serve until SIGTERM; 0. BundleError, BusError or SettingError where it cannot begin. For a main thread."""
    logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(message)s")
    with ExitStack() as held:
        signals = held.enter_context(Signals())  # first: who holds the store is sent SIGHUP, which would end it
        store = None
        if settings.model_store is not None:
            store = Store.open(settings.model_store, keep_models=settings.keep_models)
            held.enter_context(store.claim())
        return _serve(settings, Shelf(settings, store), signals)


def _serve(settings: Settings, shelf: Shelf, signals: Signals) -> int:
    worker = secrets.token_hex(6)
    model, shadow = shelf.first()
    intake = _intake(settings, shelf, worker, lambda: shelf.known(changes.used))
    engine = Engine(
        model,
        worker=worker,
        started=_clock(),
        queue_flows=settings.queue_flows,
        queue_bytes=settings.queue_megabytes * 1_000_000,
        batch_flows=settings.batch_flows,
        hold_s=settings.verdict_hold_ms / 1000,
        process=process_facts,
        truth_flows=settings.truth_flows,
        drift_alarms=settings.drift_alarms == "on",
        models=lambda: shelf.report | ({} if intake is None else {"push": intake.status()}),
    )
    if shadow is not None:
        engine.set_shadow(shadow)
    gc.freeze()  # what is here now stays: the collector need not look at it again and again
    endpoints = Endpoints.of(settings)
    topics = [CONTROL_REQUEST_TOPIC, flow_topic(worker), *([] if intake is None else [model_topic(worker)])]
    peer = Peer(
        endpoints,
        f"eacf-worker-{worker}",
        topics,
        watch=True,
        send_hwm=settings.send_messages,
        receive_hwm=settings.receive_messages,
    )
    with peer, serving(settings.metrics_port, lambda: engine.status(_clock())):
        peer.wake_on(signals.descriptor)
        _log.info(
            "worker %s serves bundle %s (%s) with %s", worker, model.bundle.id, model.bundle.source, model.runtime
        )

        notifier = Notifier.of()
        notifier.ready(f"serves bundle {model.bundle.id}; waits for a bus at {endpoints.subscribe}")

        def greet(added: bool, topic: bytes) -> None:
            if added and ZEEK_TOPIC.startswith(topic):
                engine.greet()  # a Zeek that we could not reach before now hears us

        join(peer, flow_topic(worker), signals, endpoints, greet, notifier=notifier)
        changes = Changes(engine, shelf, intake, signals.wake)
        changes.began_with_shadow(None if shadow is None else shadow.bundle.id)
        loop = Loop(peer, engine, intake, changes, notifier)
        notifier.status(loop.told())
        truth = Truth(engine, settings.truth_log)
        while not signals.end:
            changes.step(signals, _clock())
            loop.rest(truth.step())
            signals.clear()
            loop.turn()
        _log.info("ending: serving what is queued")
        notifier.stopping(settings.drain_s + LINGER_S)
        loop.drain(settings.drain_s, signals)
        peer.close(LINGER_S)
    _log.info("ended: %d flows in, %d verdicts out", engine.counts.flows, engine.counts.answered)
    return 0


def _intake(settings: Settings, shelf: Shelf, worker: str, known: Callable[[], State]) -> Intake | None:
    """What takes models from the bus, None where the settings do not name both a store and trusted keys. `known`: what the
    store says and is in use."""
    store = shelf.store
    if store is not None and settings.trusted_keys is not None:
        return Intake(worker, shelf.trusted(), Incoming(store.incoming), known)
    if settings.trusted_keys is not None:
        _log.warning("trusted_keys is set and model_store is not: no models are taken from the bus")
    return None


class Truth:
    """Live accuracy into its file."""

    def __init__(self, engine: Engine, path: Path | None) -> None:
        self._engine = engine
        self._file = TruthLog(path)
        self._wanted = path is not None
        self._told: str | None = None

    def step(self) -> float | None:
        """Write a line if it is time; when it may be time again, None: never."""
        if not self._wanted:
            return None
        now = _clock()
        if self._file.due(now):
            self._file.write(self._engine.status(now), time.time())
            if self._file.problem != self._told and self._file.problem is not None:
                _log.warning("%s", self._file.problem)
            self._told = self._file.problem
        return now + LOOK_S


@dataclass(frozen=True)
class Loop:
    """One worker's turn, again and again."""

    peer: Peer
    engine: Engine
    intake: Intake | None
    changes: Changes
    notifier: Notifier
    notices: Notices = field(default_factory=Notices)
    """What was not taken from the bus, said once in a while."""

    def turn(self) -> int:
        """Take what is there, serve one batch, send what is due. Returns how many messages were taken."""
        peer, engine = self.peer, self.engine
        now = _clock()
        messages = peer.receive(DRAIN_MESSAGES)
        if self.intake is None:
            for frames in messages:
                engine.receive(frames, now)
        else:
            for frames in messages:
                (self.intake if frames[0].startswith(MODEL_PREFIX) else engine).receive(frames, now)
        if engine.queued:
            engine.serve()
        for added, topic in peer.subscriptions():
            if added and ZEEK_TOPIC.startswith(topic):
                engine.greet()  # a Zeek that we could not reach before now hears us
        now = _clock()
        for message in engine.due(now):
            if not peer.send(message.topic, message.body):
                engine.not_sent(message)
        if self.intake is not None:
            for letter in self.intake.due(now):
                if not peer.send(letter.topic, letter.body):
                    self.intake.not_sent()
            for reason in self.intake.refusals():
                self.notices.note("models and orders not taken", reason)
        for line in (*engine.notices(now), *self.notices.due(now)):
            _log.warning("%s", line)
        self.notifier.alive(now, self.told)
        return len(messages)

    def told(self) -> str:
        """What it does, for whoever looks at the service."""
        counts, model = self.engine.counts, self.engine.model.bundle.id
        return f"serves bundle {model}; {counts.flows:,} flows in, {counts.answered:,} verdicts out"

    def drain(self, limit_s: float, signals: Signals) -> None:
        """Leave our topics, then serve what is queued and what was on its way, and end a change of model that is under way,
        all within `limit_s`; the rest is dropped."""
        peer, engine = self.peer, self.engine
        peer.unsubscribe(flow_topic(engine.worker))
        if self.intake is not None:
            peer.unsubscribe(model_topic(engine.worker))
            self.intake.close()
        until = _clock() + limit_s
        quiet_at = _clock() + QUIET_S
        while (now := _clock()) < until and (engine.queued or self.changes.busy or now < quiet_at):
            self.changes.finish(now)
            self._wait(min(until, max(quiet_at, now + QUIET_S)) if self.changes.busy else quiet_at)
            signals.clear()  # else one that comes now would keep us from waiting
            if self.turn():
                quiet_at = _clock() + QUIET_S
        self.turn()
        engine.abandon()
        for message in engine.due(_clock(), everything=True):
            if not peer.send(message.topic, message.body):
                engine.not_sent(message)

    def rest(self, until: float | None) -> None:
        """Until a message comes, something is due, or it is `until`; not at all where flows are queued. Meanwhile the engine
        does what may wait, a piece at a time."""
        while not self.engine.queued and not self.peer.wait(0) and not self._is_due(until):
            if not self.engine.idle():
                return self._wait(until)
        return None

    def _is_due(self, until: float | None) -> bool:
        deadline = self._deadline(until)
        return deadline is not None and _clock() >= deadline

    def _wait(self, until: float | None) -> None:
        if not self.engine.queued:
            deadline = self._deadline(until)
            self.peer.wait(None if deadline is None else deadline - _clock())

    def _deadline(self, until: float | None) -> float | None:
        models = None if self.intake is None else self.intake.next_deadline()
        times = [each for each in (until, self.engine.next_deadline(), models) if each is not None]
        return min((*times, self.notifier.due)) if times or self.notifier.interval_s is not None else None
