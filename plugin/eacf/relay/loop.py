"""The relay as a process: until SIGTERM; SIGHUP, or a change in the folder, has the clients read again."""

from __future__ import annotations

import logging
import math
import secrets
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from eacf.bus import Endpoints
from eacf.curve import read_pair
from eacf.errors import SettingError
from eacf.metrics import serving
from eacf.relay.clients import Clients
from eacf.relay.metrics import RELAY
from eacf.relay.relay import Relay
from eacf.service import JOIN_WARN_S, Notifier, Signals
from eacf.status import process_facts

LOOK_S = 1.0
"""How often the folder of clients is looked at."""
TELL_S = 60.0
"""How often the counts are logged, where there is something new."""

_log = logging.getLogger("eacf.relay")
_clock = time.monotonic


@dataclass(frozen=True)
class Place:
    """Where things are."""

    bus: Endpoints
    listen: Endpoints
    key: Path
    clients: Path
    queue_messages: int
    metrics_port: int


def run(place: Place) -> int:
    """Serve until SIGTERM; 0. SettingError, BusError where it cannot begin. For a main thread."""
    pair, clients = read_pair(place.key), Clients(place.clients)
    name, started = secrets.token_hex(6), _clock()

    def status() -> dict[str, object]:
        account = relay.account
        return account.report(
            name, _clock() - started, relay.connections, relay.topics, len(clients.by_key), process_facts
        )

    with ExitStack() as held:
        signals = held.enter_context(Signals())
        relay = Relay(
            place.bus, place.listen, pair, clients, name=name, queue_messages=place.queue_messages, status=status
        )
        held.callback(relay.close)
        held.enter_context(serving(place.metrics_port, status, RELAY))
        _log.info(
            "relay %s listens at %s and %s for %d clients; public key %s",
            name, relay.listens.subscribe, relay.listens.publish, len(clients.by_key), pair.public,
        )  # fmt: skip
        _serve(relay, clients, place.bus, signals, Notifier.of())
    _log.info("ended: %s", relay.account)
    return 0


def _serve(relay: Relay, clients: Clients, bus: Endpoints, signals: Signals, notifier: Notifier) -> None:
    def told() -> str:
        return f"{relay.connections} connections; {relay.account}{'' if relay.has_bus else '; waits for the bus'}"

    relay.wake_on(signals.descriptor)
    notifier.ready(told())
    now = _clock()
    look_at, tell_at, warn_at = now + LOOK_S, now + TELL_S, now + JOIN_WARN_S
    before = str(relay.account)
    on_bus = False
    while not signals.end:
        relay.turn(math.ceil(max(0.0, min(look_at, notifier.due) - _clock()) * 1000))
        signals.clear()
        now = _clock()
        if on_bus != relay.has_bus:
            on_bus = relay.has_bus
            _log.info("%s the bus at %s and %s", "on" if on_bus else "lost", bus.subscribe, bus.publish)
        if now >= look_at or signals.reload:
            _look(relay, clients, asked=signals.reload)
            signals.reload = False
            look_at = now + LOOK_S
        if now >= warn_at:
            warn_at = float("inf")
            if not on_bus:
                _log.warning("no bus at %s and %s yet; waiting for it", bus.subscribe, bus.publish)
        if now >= tell_at:
            tell_at = now + TELL_S
            if (text := str(relay.account)) != before:
                _log.info("%d connections; %s", relay.connections, text)
                before = text
        for line in relay.notices.due(now):
            _log.warning("%s", line)
        notifier.alive(now, told)
    notifier.stopping(0.0)


def _look(relay: Relay, clients: Clients, *, asked: bool) -> None:
    """Read the folder again if it is another, or somebody asks."""
    if not asked and not clients.changed():
        return
    try:
        new, gone = clients.reload()
    except SettingError as error:
        relay.account.reloads["refused"] += 1
        _log.error("the clients stay as they were: %s", error)
        return
    relay.account.reloads["done"] += 1
    _log.info("clients read again: %d, %d of them new, %d gone or changed", len(clients.by_key), new, gone)
    if gone:
        relay.cut()
