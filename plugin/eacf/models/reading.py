"""``state.json`` read back with care: a file that is not whole in every field is refused, never half believed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, TypeVar

from eacf.models.lineage import lineage
from eacf.models.state import FORMAT, MAX_HISTORY, MAX_KEPT, MAX_KEYS, Kept, State, Step

T = TypeVar("T")
MODEL_ID, KEY_ID = re.compile("[0-9a-f]{12}"), re.compile("[0-9a-f]{16}")


def read(data: bytes) -> State:
    """The state. Raises ValueError, which names the field."""
    document = _Fields(json.loads(data), "")
    if (number := document.whole("format")) != FORMAT:
        raise ValueError(f"format is {number}, this eacf reads {FORMAT}")
    serials = document.value("serials", dict)
    state = State(
        serving=document.model("serving"),
        setting=document.model("setting"),
        shadow=document.model("shadow"),
        before=document.model("before"),
        serials={_key(key): _Fields(serials, "serials.").whole(key) for key in serials},
        kept=tuple(document.each("kept", MAX_KEPT, _kept)),
        history=tuple(document.each("history", MAX_HISTORY, _step)),
    )
    if len(serials) > MAX_KEYS:
        raise ValueError(f"serials: more than {MAX_KEYS} keys")
    if len({each.id for each in state.kept}) != len(state.kept):
        raise ValueError("kept: a model stands there twice")
    for name in ("serving", "setting", "shadow", "before"):
        model = getattr(state, name)
        if model is not None and not state.has(model):
            raise ValueError(f"{name}: model {model} is not among those kept")
    return state


def _kept(fields: _Fields) -> Kept:
    return Kept(
        id=fields.pattern("id", MODEL_ID),
        name=fields.value("name", str),
        version=fields.value("version", str),
        received=fields.value("received", str),
        key=fields.optional("key", lambda: fields.pattern("key", KEY_ID)),
        serial=fields.optional("serial", lambda: fields.whole("serial")),
        lineage=lineage(fields.optional("lineage", lambda: fields.value("lineage", dict))),
    )


def _step(fields: _Fields) -> Step:
    return Step(
        at=fields.value("at", str),
        action=fields.pattern("action", re.compile("serve|shadow")),
        model=fields.model("model"),
        before=fields.model("before"),
        why=fields.value("why", str),
        key=fields.optional("key", lambda: fields.pattern("key", KEY_ID)),
        serial=fields.optional("serial", lambda: fields.whole("serial")),
    )


def _key(said: str) -> str:
    if not KEY_ID.fullmatch(said):
        raise ValueError(f"serials: {said[:40]!r} is no key's id")
    return said


class _Fields:
    """A JSON object at `where`; ValueError for whatever is missing or of another kind."""

    def __init__(self, document: object, where: str) -> None:
        if not isinstance(document, dict):
            raise ValueError(f"{where or 'the whole '}: is no object")
        self._document, self._where = document, where

    def value(self, name: str, kind: type) -> Any:
        if name not in self._document:
            raise ValueError(f"{self._where}{name}: is missing")
        found = self._document[name]
        if not isinstance(found, kind) or isinstance(found, bool):
            raise ValueError(f"{self._where}{name}: is not of type {kind.__name__}")
        return found

    def whole(self, name: str) -> int:
        number: int = self.value(name, int)
        if not 0 < number < 1 << 53:
            raise ValueError(f"{self._where}{name}: {number} is out of range")
        return number

    def pattern(self, name: str, pattern: re.Pattern[str]) -> str:
        text: str = self.value(name, str)
        if not pattern.fullmatch(text):
            raise ValueError(f"{self._where}{name}: {text[:40]!r} does not fit {pattern.pattern}")
        return text

    def optional(self, name: str, read: Callable[[], T]) -> T | None:
        return None if name in self._document and self._document[name] is None else read()

    def model(self, name: str) -> str | None:
        return self.optional(name, lambda: self.pattern(name, MODEL_ID))

    def each(self, name: str, most: int, read: Callable[[_Fields], T]) -> list[T]:
        entries: list[object] = self.value(name, list)
        if len(entries) > most:
            raise ValueError(f"{self._where}{name}: has more than {most} entries")
        return [read(_Fields(entry, f"{name}[{number}].")) for number, entry in enumerate(entries)]
