"""How an accepted model leaves: signed once, left as a file where wanted, pushed until a worker has it, and to those that come later."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from eacf import bundle, keys
from eacf.bundle import signing
from eacf.bus import Endpoints
from eacf.delivery import Outcome, push
from eacf.errors import BusError, EacfError
from eacf.files import replace as put
from eacf_trainer.watch.home import SIGNED, Home
from eacf_trainer.watch.settings import Delivery

MAX_MET = 10_000
"""Workers that are remembered; with more, all are met anew."""

Line = dict[str, Any]
_log = logging.getLogger("eacf.watch")


class Sender:
    """See the module. What was delivered is a line in the log of decisions, so a restart goes on where this one was."""

    def __init__(
        self,
        home: Home,
        settings: Delivery,
        endpoints: Endpoints | None,
        say: Callable[[Line], None],
        turn: Callable[[], None] = lambda: None,
    ) -> None:
        """`say` puts a line into the log. `turn` is called at least once a second while a push goes on."""
        self._home, self._settings, self._endpoints, self._say = home, settings, endpoints, say
        self._turn = turn
        self._push_at = 0.0
        self._outcomes: dict[str, Outcome] | None = None
        self._met: set[str] = set()
        self._late = False

    @property
    def pushes(self) -> bool:
        """Whether models go out over the bus."""
        return self._endpoints is not None and self._settings.push and bool(self._settings.key)

    def met(self, worker: str, model: str) -> None:
        """A worker has said which bundle it serves. One that nothing was pushed to since it started, and that serves another one,
        is pushed the newest. What an operator rolled back stays so: the order's serial is above that of the bundle, which is refused."""
        if worker in self._met:
            return
        if len(self._met) >= MAX_MET:
            self._met.clear()
        self._met.add(worker)
        serving = self._home.state.serving
        if self.pushes and serving not in (None, model) and (self._home.run(str(serving)) / SIGNED).exists():
            self._late = True

    def deliver(self, *, now: bool = False) -> None:
        """Sign what was accepted, leave it where it is wanted, push it. `now`: also if it was tried a moment ago."""
        state = self._home.state
        wanted = state.pending or (state.serving if self._late else None)
        if wanted is None or (time.monotonic() < self._push_at and not now):
            return
        self._push_at = time.monotonic() + self._settings.again_s
        try:
            data, serial = self._signed(wanted)
            if self._settings.out:
                put(Path(self._settings.out), data, 0o644)
        except (OSError, EacfError) as error:
            _log.error("bundle %s cannot be delivered: %s", wanted, error)
            return
        if serial is None or not self._settings.push or self._endpoints is None:
            self._say(self._line(wanted, serial, None))
            return
        try:
            outcomes = push(self._endpoints, data, wait_s=self._settings.wait_s, turn=self._turn)
        except BusError as error:
            _log.warning("bundle %s reached nobody: %s", wanted, error)
            return
        self._late = False
        self._met |= outcomes.keys()
        line = self._line(wanted, serial, outcomes)
        if line["done"] or outcomes != self._outcomes:
            self._say(line)
        self._outcomes = outcomes

    def _line(self, bundle_id: str, serial: int | None, outcomes: dict[str, Outcome] | None) -> Line:
        taken = [worker for worker, outcome in (outcomes or {}).items() if outcome.taken]
        return {
            "kind": "push",
            "at": text_of(time.time()),
            "bundle": bundle_id,
            "serial": serial,
            "file": self._settings.out or None,
            "workers": None if outcomes is None else {worker: list(outcome) for worker, outcome in outcomes.items()},
            "done": outcomes is None or bool(taken),
        }

    def _signed(self, bundle_id: str) -> tuple[bytes, int | None]:
        """The bundle's file, signed once with a number of its own where there is a key; the number."""
        keyfile = self._settings.key
        if not keyfile:
            return bundle.read_file(self._home.bundle(bundle_id)), None
        path = self._home.run(bundle_id) / SIGNED
        key = keys.PrivateKey.read(Path(keyfile))
        if path.exists():
            data = bundle.read_file(path)
            signature = bundle.from_bytes(data, str(path)).manifest.signature
            if signature is not None and signature.key == key.id:
                return data, signature.serial
        serial = keys.next_serial(Path(keyfile), time.time())
        data = signing.sign(bundle.read_file(self._home.bundle(bundle_id)), key, serial=serial)
        put(path, data, 0o600)
        return data, serial


def text_of(seconds: float) -> str:
    """UTC, to the second."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
