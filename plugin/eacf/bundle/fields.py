"""A strict reader of one JSON object: every value is checked for type and range, and every error names the field."""

from __future__ import annotations

import json
import math
import re

from eacf.errors import BundleError

REBUILD = "build the bundle again"


class Table:
    """A JSON object at `where` in the manifest. Keys asked for are remembered, so that :meth:`done` finds strangers."""

    def __init__(self, value: object, where: str) -> None:
        if not isinstance(value, dict):
            raise BundleError(f"{where}: must be an object, is {kind(value)}; {REBUILD}")
        self.value: dict[str, object] = value
        self.where = where
        self.asked: set[str] = set()

    def at(self, key: str) -> str:
        """The field's full name, for messages."""
        return f"{self.where}.{key}"

    def get(self, key: str) -> object:
        """The value of `key`, which must be there."""
        if key not in self.value:
            raise BundleError(f"{self.at(key)}: is missing; {REBUILD}")
        self.asked.add(key)
        return self.value[key]

    def table(self, key: str) -> Table:
        """An object with known keys."""
        return Table(self.get(key), self.at(key))

    def list(self, key: str, most: int) -> list[object]:
        """A list of at most `most` entries, each still to be checked."""
        value = self.get(key)
        if not isinstance(value, list) or len(value) > most:
            raise BundleError(f"{self.at(key)}: must be a list of at most {most} entries; {REBUILD}")
        return value

    def text(self, key: str, *, most: int = 200, pattern: str | None = None) -> str:
        """A short printable text."""
        return text(self.get(key), self.at(key), most=most, pattern=pattern)

    def flag(self, key: str) -> bool:
        """True or false."""
        value = self.get(key)
        if not isinstance(value, bool):
            raise BundleError(f"{self.at(key)}: must be true or false, is {kind(value)}; {REBUILD}")
        return value

    def whole(self, key: str, least: int, most: int) -> int:
        """A whole number from `least` to `most`."""
        return whole(self.get(key), self.at(key), least, most)

    def number(self, key: str, least: float, most: float) -> float:
        """A finite number from `least` to `most`."""
        value = self.get(key)
        if not isinstance(value, int | float) or isinstance(value, bool) or not least <= value <= most:
            raise BundleError(
                f"{self.at(key)}: must be a number from {least:g} to {most:g}, is {kind(value)}; {REBUILD}"
            )
        return float(value)

    def done(self) -> None:
        """Raise BundleError if there is a key that nothing asked for."""
        if strangers := sorted(set(self.value) - self.asked):
            raise BundleError(
                f"{self.at(strangers[0][:40])}: is unknown; known: {', '.join(sorted(self.asked))}; {REBUILD}"
            )


def text(value: object, where: str, *, most: int = 200, pattern: str | None = None) -> str:
    """`value` if it is a printable text of 1 to `most` characters, none of them a space at an end."""
    if not isinstance(value, str) or not 0 < len(value) <= most or not value.isprintable() or value != value.strip():
        raise BundleError(f"{where}: must be a printable text of 1 to {most} characters, is {kind(value)}; {REBUILD}")
    if pattern is not None and not re.fullmatch(pattern, value):
        raise BundleError(f"{where}: {value!r} does not fit {pattern}; {REBUILD}")
    return value


def whole(value: object, where: str, least: int, most: int) -> int:
    """`value` if it is a whole number from `least` to `most`."""
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise BundleError(f"{where}: must be a whole number from {least} to {most}, is {kind(value)}; {REBUILD}")
    return value


def kind(value: object) -> str:
    """A value as a message may show it: numbers as they are, texts cut, the rest by type."""
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    if isinstance(value, int):
        return str(value) if abs(value) < 1 << 64 else "a number of more than 64 bits"
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else "not finite"
    if isinstance(value, str):
        return ascii(value if len(value) <= 60 else value[:60] + "...")
    return "an object" if isinstance(value, dict) else "a list"
