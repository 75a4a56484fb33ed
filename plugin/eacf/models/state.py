"""What a store knows: which model serves, which one only scores, which are kept, and what was ever taken of each key.

Pure: each change gives a new state, the store puts it on disk. Law: the models that `serving`, `setting`, `shadow`
and `before` name are in `kept`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from eacf.errors import BundleError
from eacf.models.lineage import Lineage

FORMAT = 1
MAX_HISTORY = 100
MAX_KEYS = 1000
"""Keys whose last serial is kept; as many as may be trusted."""
MAX_KEPT = 1100
MAX_WHY = 200
"""Characters of a reason."""
REPORTED = 16
"""Models and steps that a report over the bus tells of."""

By = tuple[str, int]
"""Who wants it: key and serial of a signed bundle or order. None, where that may be: this machine's operator."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A model whose bundle is in the store."""

    id: str
    name: str
    version: str
    received: str
    """UTC, as in 2025-01-31T12:00:00Z."""
    key: str | None
    """Who signed it; None: it was loaded from the local disk."""
    serial: int | None
    lineage: Lineage | None


@dataclass(frozen=True, slots=True)
class Step:
    """One change of what serves or scores."""

    at: str
    action: str
    """"serve" or "shadow"."""
    model: str | None
    before: str | None
    """Where a rollback from `model` goes; for a shadow: which was it before."""
    why: str
    key: str | None
    serial: int | None


@dataclass(frozen=True, slots=True)
class State:
    """All of it. A new store has none of anything."""

    serving: str | None = None
    """Id; None: the worker serves its setting `bundle`."""
    setting: str | None = None
    """Id of what that setting last was; a rollback from the first model that serves by this state goes there."""
    shadow: str | None = None
    before: str | None = None
    """Where a rollback goes that names no model."""
    serials: Mapping[str, int] = field(default_factory=dict)
    """For each key the last serial that was taken."""
    kept: tuple[Kept, ...] = ()
    """Newest first."""
    history: tuple[Step, ...] = ()
    """Newest first, the last MAX_HISTORY."""

    def has(self, model_id: str) -> bool:
        """Whether that model is in the store."""
        return any(each.id == model_id for each in self.kept)

    def check_serial(self, by: By) -> None:
        """Raise BundleError unless the serial is above all that was taken of that key."""
        key, serial = by
        last = self.serials.get(key, 0)
        if serial <= last:
            raise BundleError(
                f"serial {serial} of key {key} is not above {last}, the last one taken: an old bundle or order, or one "
                "that was sent twice; sign it again"
            )
        if key not in self.serials and len(self.serials) >= MAX_KEYS:
            raise BundleError(f"key {key}: the store remembers {MAX_KEYS} keys already; begin a new store")

    def rollback_target(self, model_id: str | None = None) -> str:
        """Where a rollback leads: that model, or the one that served before. Raises BundleError where there is none."""
        target = model_id or self.before
        if target is None:
            raise BundleError("no model served before this one; name one (`eacf model list`)")
        self._check_kept(target)
        return target

    def add(self, entry: Kept, most: int) -> State:
        """Keep one more, as the newest. Beyond `most` the oldest go, but never one that serves, scores or is a rollback's."""
        kept = [entry, *(each for each in self.kept if each.id != entry.id)]
        held = {self.serving or self.setting, self.shadow, self.before, entry.id}
        while len(kept) > most and any(each.id not in held for each in kept):
            kept.remove(next(each for each in reversed(kept) if each.id not in held))
        setting = self.setting if any(each.id == self.setting for each in kept) else None
        return replace(self, kept=tuple(kept), setting=setting)

    def with_setting(self, model_id: str) -> State:
        """`model_id`, which is kept, is what the worker's setting `bundle` names."""
        return replace(self, setting=model_id)

    def serve(self, model_id: str, by: By | None, why: str, now: float) -> State:
        """`model_id` serves from now on. Unchanged where it did so already on this very demand. Raises BundleError."""
        if self.serving == model_id and (by is None or self._taken(by)):
            return self
        now_serving = self.serving or self.setting
        before = now_serving if now_serving != model_id else self.before
        return self._serve(model_id, before, by, why, now)

    def rollback(self, model_id: str | None, by: By | None, why: str, now: float) -> State:
        """An older one serves again. The next rollback goes to what served before that one. Raises BundleError."""
        if by is not None and self._taken(by) and model_id in (None, self.serving):
            return self
        target = self.rollback_target(model_id)
        if by is None and target == self.serving:
            return self
        older = next((step.before for step in self.history if step.action == "serve" and step.model == target), None)
        before = older if older is not None and older != target and self.has(older) else None
        return self._serve(target, before, by, why, now)

    def _serve(self, model_id: str, before: str | None, by: By | None, why: str, now: float) -> State:
        self._check_kept(model_id)
        shadow = None if self.shadow == model_id else self.shadow
        changed = replace(self, serving=model_id, shadow=shadow, before=before)
        return changed._step("serve", model_id, before, by, why, now)

    def score(self, model_id: str | None, by: By | None, why: str, now: float) -> State:
        """`model_id` scores beside the one that serves; None: none does. Raises BundleError."""
        if self.shadow == model_id and (by is None or self._taken(by)):
            return self
        if model_id is not None:
            self._check_kept(model_id)
            if model_id == self.serving:
                raise BundleError(f"model {model_id} serves; only another one can score beside it")
        return replace(self, shadow=model_id)._step("shadow", model_id, self.shadow, by, why, now)

    def _step(self, action: str, model: str | None, before: str | None, by: By | None, why: str, now: float) -> State:
        if by is not None:
            self.check_serial(by)
        step = Step(utc(now), action, model, before, why[:MAX_WHY], *(by or (None, None)))
        serials = dict(self.serials) | ({by[0]: by[1]} if by else {})
        return replace(self, serials=serials, history=(step, *self.history)[:MAX_HISTORY])

    def _taken(self, by: By) -> bool:
        """Whether this very demand was the last one of its key."""
        return self.serials.get(by[0]) == by[1]

    def _check_kept(self, model_id: str) -> None:
        if not self.has(model_id):
            kept = ", ".join(each.id for each in self.kept[:REPORTED]) or "none"
            raise BundleError(
                f"model {model_id[:40]} is not in the store (there: {kept}); push it, or promote its file"
            )

    def document(self) -> bytes:
        """As ``state.json`` holds it."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=1).encode() + b"\n"

    def summary(self) -> dict[str, Any]:
        """As a status report tells it, in what JSON knows: bounded, whatever is kept. `older`: how many are left out."""
        whole = asdict(self) | {"serials": len(self.serials), "older": max(0, len(self.kept) - REPORTED)}
        return whole | {key: list(whole[key][:REPORTED]) for key in ("kept", "history")}


def utc(now: float) -> str:
    """A time as everything here tells it."""
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
