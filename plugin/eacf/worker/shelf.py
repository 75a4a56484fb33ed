"""Where a worker's models come from: its settings, and the store of those that were pushed.

Everything here may take seconds (a process of its own tries a model first) and is called outside the loop, but for
:func:`Shelf.first`. Whatever goes wrong is a BundleError, a SettingError or an OSError; the store is then as it was.
"""

from __future__ import annotations

import hashlib
import logging
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from eacf import bundle as bundles
from eacf import inference
from eacf.bundle import signing
from eacf.delivery.intake import Arrived, Ordered
from eacf.delivery.outcome import Outcome
from eacf.errors import BundleError, SettingError
from eacf.inference import Model, probing
from eacf.keys import Trusted
from eacf.models import State, Store, orders
from eacf.settings import Settings

_log = logging.getLogger("eacf.worker")


@dataclass(frozen=True, slots=True)
class Used:
    """What the engine works with, by id."""

    serving: str
    shadow: str | None


@dataclass(frozen=True, slots=True)
class Change:
    """What the engine is to do between two batches, and what is told of it."""

    outcome: Outcome
    serve: Model | None = None
    """None: the one that serves stays."""
    shadow: Model | None = None
    """Counts where `shadow_changes`; None: none."""
    shadow_changes: bool = False
    sha256: str = ""
    """Of a file that came in."""
    damaged: bool = False
    """Its bytes are not those that were signed."""


class Shelf:
    """See the module. `store`: None where nothing is taken."""

    def __init__(self, settings: Settings, store: Store | None) -> None:
        self.store = store
        self._settings = settings
        self.path = bundles.find(settings.bundle)
        """Of the bundle that serves unless the store says otherwise."""
        self.report: dict[str, Any] = {}
        """The store's summary as of the last change; replaced, never changed."""

    def first(self) -> tuple[Model, Model | None]:
        """What serves at the start, and what scores beside it. The bundle of the settings goes into the store, unsigned and
        not as the one that serves, so that a rollback can come back to it."""
        state = self._state()
        model = inference.load(self._serving(state), threads=self._settings.threads)
        self._keep_own(state)
        beside = self._beside(state)
        shadow = None if beside is None else inference.load(beside, threads=self._settings.threads)
        self._look()
        return model, None if shadow is None or shadow.bundle.id == model.bundle.id else shadow

    def known(self, used: Used) -> State:
        """What the store says, less what the engine does not work with: what it could not take, or is about to. SettingError."""
        state = self._state()
        serving = state.serving if state.serving == used.serving else None
        return replace(state, serving=serving, shadow=state.shadow if state.shadow == used.shadow else None)

    def trusted(self) -> Trusted:
        """The keys of the settings. SettingError."""
        return Trusted.read(self._settings.trusted_keys)

    def again(self, used: Used) -> Change:
        """Everything read again: SIGHUP. What is in use already stays in use."""
        state = self._state()
        path = self._serving(state)
        model = None if bundles.load(path).id == used.serving else self._load(path)
        self._keep_own(state)
        serving = used.serving if model is None else model.bundle.id
        beside = self._beside(state)
        shadow_id = None if beside is None else bundles.load(beside).id
        shadow_id = None if shadow_id == serving else shadow_id
        shadow = None if beside is None or shadow_id in (None, used.shadow) else self._load(beside)
        self._look()
        return Change(Outcome("serving", str(path)), model, shadow, shadow_id != used.shadow)

    def arrived(self, task: Arrived, trusted: Trusted, used: Used) -> Change:
        """A file that came in: looked through, tried, kept, and told to the store as the one that serves (or scores)."""
        store = self._the_store()
        data = bundles.read_file(task.path)
        sha256 = hashlib.sha256(data).hexdigest()
        offered = task.offered
        if sha256 not in task.sha256:
            what = f"bundle {offered.model}: what came in has SHA-256 {sha256}, the offer said another; push again"
            return Change(Outcome("refused", what), sha256=sha256, damaged=True)
        bundle = bundles.from_bytes(data, f"bundle {offered.model}")
        if bundle.id != offered.model or signing.verify(bundle.manifest, trusted) != offered.signature:
            raise BundleError(f"bundle {offered.model}: what came in is another one, {bundle.id}; push again")
        if offered.signature.purpose == "shadow":
            _check_beside(bundle.id, used)
        probing.probe(data, f"bundle {bundle.id}")
        model = Model(bundle, threads=self._settings.threads)
        by = (offered.signature.key, offered.signature.serial)
        now = time.time()
        before = store.state()
        before.check_serial(by)
        store.keep(data, signature=offered.signature, now=now)
        if offered.signature.purpose == "shadow":
            store.shadow(bundle.id, by=by, why="pushed", now=now)
            self._look()
            return Change(Outcome("shadow"), None, model, True, sha256)
        store.serve(bundle.id, by=by, why="pushed", now=now)
        return self._served(model, used, sha256)

    def ordered(self, task: Ordered, used: Used) -> Change:
        """An order carried out: the model is tried before the store says that it serves (or scores)."""
        store = self._the_store()
        before = store.state()
        before.check_serial((task.order.key, task.order.serial))
        target = orders.target(task.order, before)
        if task.order.action == "shadow":
            return self._ordered_beside(task.order, target, before, used)
        model = None if target in (None, used.serving) else self._load(store.path(target))
        orders.obey(store, task.order, now=time.time())
        return self._served(model, used)

    def _ordered_beside(self, order: orders.Order, target: str | None, before: State, used: Used) -> Change:
        """An order about what scores; where none of the store is to, what the settings name does, as after a restart."""
        store = self._the_store()
        path = self._beside(replace(before, shadow=None)) if target is None else store.path(target)
        model_id = bundles.load(path).id if target is None and path is not None else target
        if target is None and model_id == used.serving:
            path = model_id = None
        _check_beside(model_id, used)
        model = None if path is None or model_id == used.shadow else self._load(path)
        orders.obey(store, order, now=time.time())
        self._look()
        if model_id is None:
            return Change(Outcome("off"), None, None, True)
        why = f"model {model_id}" + (", which the setting `shadow` names" if target is None else "")
        return Change(Outcome("shadow", why), None, model, model is not None)

    def _served(self, model: Model | None, used: Used, sha256: str = "") -> Change:
        """The store says that another one serves. What only scored until now and serves from now on, scores no more."""
        self._look()
        serving = used.serving if model is None else model.bundle.id
        return Change(Outcome("serving", f"model {serving}"), model, None, used.shadow == serving, sha256)

    def _keep_own(self, state: State) -> None:
        """Have the bundle of the settings in the store, where it serves. A disk that is full costs no more than that."""
        if self.store is None or state.serving is not None:
            return
        try:
            self.store.keep(bundles.read_file(self.path), signature=None, now=time.time(), setting=True)
        except (BundleError, SettingError, OSError) as error:
            _log.warning("the bundle in use is not in the store, and no rollback will find it: %s", error)

    def _serving(self, state: State) -> Path:
        if self.store is None or state.serving is None:
            return self.path
        return self.store.path(state.serving)

    def _beside(self, state: State) -> Path | None:
        """The bundle that scores: the store's, else that of the settings. One that is damaged on the disk costs no more than
        that nothing scores: it answers nothing."""
        if self.store is not None and state.shadow is not None:
            path = self.store.path(state.shadow)
            try:
                bundles.load(path)
            except BundleError as error:
                _log.warning("nothing scores beside the model that serves: %s", error)
                return None
            return path
        return None if self._settings.shadow is None else bundles.find(self._settings.shadow)

    def _load(self, path: Path) -> Model:
        return inference.load(path, threads=self._settings.threads, probe=True)

    def _state(self) -> State:
        return State() if self.store is None else self.store.state()

    def _the_store(self) -> Store:
        if self.store is None:
            raise BundleError("this worker takes no models; set model_store and trusted_keys")
        return self.store

    def _look(self) -> None:
        if self.store is not None:
            self.report = self.store.state().summary()


def _check_beside(model_id: str | None, used: Used) -> None:
    """The store does not know what serves by the settings alone. BundleError."""
    if model_id == used.serving:
        raise BundleError(f"model {model_id} serves; only another one can score beside it")
