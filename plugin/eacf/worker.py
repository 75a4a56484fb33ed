"""The worker: a loop around the engine, with the bus on one side and signals on the other.

SIGTERM (and SIGINT) ends it in order: it leaves its topic, so that Zeek sends no more, serves what is there, and goes;
a second one ends it at once. SIGHUP reads the bundle again; the change is made between two batches.
"""

from __future__ import annotations

import gc
import logging
import secrets
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from threading import Thread

from eacf import bundle, inference
from eacf.bus import Endpoints, Peer
from eacf.engine import Engine
from eacf.errors import BundleError
from eacf.metrics import serving
from eacf.service import Signals, join
from eacf.settings import Settings
from eacf.status import process_facts
from eacf.wire import CONTROL_REQUEST_TOPIC, ZEEK_TOPIC, flow_topic

DRAIN_MESSAGES = 256
"""Messages taken from the socket in one go; many times what a batch serves, so the socket is emptied at any load."""
QUIET_S = 0.1
"""At the end: nothing has come for so long, so nothing is on its way."""
LINGER_S = 1.0
"""At the end: time for the last verdicts to leave the socket."""

_log = logging.getLogger("eacf.worker")
_clock = time.monotonic


def run(settings: Settings) -> int:
    """Serve until SIGTERM; 0. BundleError, BusError or SettingError where it cannot begin. For a main thread."""
    logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(message)s")
    path = bundle.find(settings.bundle)
    model = inference.load(path, threads=settings.threads)
    engine = Engine(
        model,
        worker=secrets.token_hex(6),
        started=_clock(),
        queue_flows=settings.queue_flows,
        queue_bytes=settings.queue_megabytes * 1_000_000,
        batch_flows=settings.batch_flows,
        hold_s=settings.verdict_hold_ms / 1000,
        process=process_facts,
    )
    gc.freeze()  # what is here now stays: the collector need not look at it again and again
    endpoints = Endpoints(settings.subscribe_endpoint, settings.publish_endpoint)
    peer = Peer(
        endpoints,
        f"eacf-worker-{engine.worker}",
        [CONTROL_REQUEST_TOPIC, flow_topic(engine.worker)],
        watch=True,
        send_hwm=settings.send_messages,
        receive_hwm=settings.receive_messages,
    )
    with peer, Signals() as signals, serving(settings.metrics_port, lambda: engine.status(_clock())):
        peer.wake_on(signals.descriptor)
        _log.info("worker %s serves bundle %s (%s) with %s", engine.worker, model.bundle.id, path, model.runtime)

        def greet(added: bool, topic: bytes) -> None:
            if added and ZEEK_TOPIC.startswith(topic):
                engine.greet()  # a Zeek that we could not reach before now hears us

        join(peer, flow_topic(engine.worker), signals, endpoints, greet)
        reloader = Reloader(engine, path, settings.threads, signals.wake)
        while not signals.end:
            reloader.step(signals)
            _wait(peer, engine, None)
            signals.clear()
            turn(peer, engine)
        _log.info("ending: serving what is queued")
        drain(peer, engine, settings.drain_s)
        peer.close(LINGER_S)
    _log.info("ended: %d flows in, %d verdicts out", engine.counts.flows, engine.counts.answered)
    return 0


def turn(peer: Peer, engine: Engine) -> int:
    """Take what is there, serve one batch, send what is due. Returns how many messages were taken."""
    now = _clock()
    messages = peer.receive(DRAIN_MESSAGES)
    for frames in messages:
        engine.receive(frames, now)
    if engine.queued:
        engine.serve()
    for added, topic in peer.subscriptions():
        if added and ZEEK_TOPIC.startswith(topic):
            engine.greet()  # a Zeek that we could not reach before now hears us
    now = _clock()
    for message in engine.due(now):
        if not peer.send(message.topic, message.body):
            engine.not_sent(message)
    for line in engine.notices(now):
        _log.warning("%s", line)
    return len(messages)


def drain(peer: Peer, engine: Engine, limit_s: float) -> None:
    """Leave our topic, then serve what is queued and what was on its way, within `limit_s`; the rest is dropped."""
    peer.unsubscribe(flow_topic(engine.worker))
    until = _clock() + limit_s
    quiet_at = _clock() + QUIET_S
    while (now := _clock()) < until and (engine.queued or now < quiet_at):
        _wait(peer, engine, quiet_at)
        if turn(peer, engine):
            quiet_at = _clock() + QUIET_S
    engine.abandon()
    for message in engine.due(_clock(), everything=True):
        if not peer.send(message.topic, message.body):
            engine.not_sent(message)


def _wait(peer: Peer, engine: Engine, until: float | None) -> None:
    """Until a message comes, something is due, or it is `until`; not at all where flows are queued."""
    if not engine.queued:
        times = [time for time in (until, engine.next_deadline()) if time is not None]
        peer.wait(min(times) - _clock() if times else None)


class Reloader:
    """Reads the bundle again in a thread of its own, where it spends its time waiting for the process that tries the
    bundle first; the model takes its place between two batches. If it is bad, the one in use stays."""

    def __init__(self, engine: Engine, path: Path, threads: int, wake: Callable[[], None]) -> None:
        self._engine = engine
        self._path = path
        self._threads = threads
        self._wake = wake
        self._loading: Future[inference.Model] | None = None

    def step(self, signals: Signals) -> None:
        """Start what was asked for, one at a time, and take what is ready."""
        if self._loading is not None and self._loading.done():
            self._take(self._loading)
            self._loading = None
        if signals.reload and self._loading is None:
            signals.reload = False
            self._loading = Future()
            Thread(target=self._load, args=(self._loading,), name="eacf-reload", daemon=True).start()

    def _load(self, loading: Future[inference.Model]) -> None:
        try:
            loading.set_result(inference.load(self._path, threads=self._threads, probe=True))
        except BundleError as error:
            loading.set_exception(error)
        finally:
            loading.cancel()  # without effect unless a bug of ours came up, which then ends the worker
            self._wake()

    def _take(self, loading: Future[inference.Model]) -> None:
        try:
            model = loading.result()
        except BundleError as error:
            self._engine.keep()
            _log.error("the bundle in use stays (%s): %s", self._engine.model.bundle.id, error)
        else:
            _log.info("bundle %s takes the place of %s", model.bundle.id, self._engine.model.bundle.id)
            self._engine.swap(model)
