"""A label map's TOML file: read strictly, every mistake named by file, key, value and what is allowed.

The format is told in docs/labels.md. Nothing here knows what a name's label is; `rules` does.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from eacf.errors import SettingError
from eacf.labels.names import claims

KINDS = ("application", "ads", "cdn")
"""What a label may be; the first unless a file says otherwise."""
FALLBACKS = ("registrable-domain", "none")
LISTS = ("ads", "cdn")
"""The shipped lists that a map may take in."""
KEYS = ("about", "fallback", "lists", "ech_public_names", "unlabelled", "labels", "tests")
LABEL_KEYS = ("kind", "rules", "about")
MOST = 64
"""Characters of a label, as in a bundle."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One pattern (``name`` or ``*.name``) and what a name that it claims gets."""

    pattern: str
    label: str | None
    """None: such a name has no label."""
    written: str
    """The rule as it stands in the file."""
    origin: str
    """File and line, or the list."""
    ech: bool = False
    """Whether such names are public names of ECH."""

    def __str__(self) -> str:
        told = "an ECH public name" if self.ech else "no label" if self.label is None else f"label {self.label}"
        return f'"{self.written}" ({self.origin}, {told})'


@dataclass(frozen=True)
class MapFile:
    """What a file says."""

    where: str
    """The file, for messages."""
    about: str = ""
    fallback: str = "none"
    lists: tuple[str, ...] = ()
    kinds: dict[str, str] = field(default_factory=dict)
    """Of each label."""
    rules: dict[str, Rule] = field(default_factory=dict)
    """By pattern; no two claim the same names."""
    tests: dict[str, str | None] = field(default_factory=dict)
    """Server names and the label that each must have; None: none."""


def read(path: Path) -> MapFile:
    """The map in the file at `path`; SettingError."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise SettingError(f"{path}: is not UTF-8 text; give a TOML file of labels") from None
    except OSError as error:
        raise SettingError(f"{path}: cannot be read ({error.strerror}); give a TOML file of labels") from None
    return parse(text, str(path))


def parse(text: str, where: str) -> MapFile:
    """The map in `text`; `where` names it in messages. SettingError."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingError(f"{where}: is not TOML ({error})") from None
    except RecursionError:
        raise SettingError(f"{where}: is nested too deeply; a label map has tables of labels, no more") from None
    return _Reader(where, table, Lines(text)).read()


class Lines:
    """Where quoted texts stand in a file, headers, comments and tests left out, since the TOML parser does not say."""

    def __init__(self, text: str = "") -> None:
        self._at: dict[str, list[int]] = {}
        in_tests = False
        for number, line in enumerate(text.splitlines(), 1):
            if header := re.fullmatch(r"\s*\[(.*)\]\s*(?:#.*)?", line):
                in_tests = header[1].strip() == "tests"
            elif not in_tests and not line.lstrip().startswith("#"):
                for found in re.findall(r"\"([^\"\\]*)\"|'([^']*)'", line):
                    self._at.setdefault(found[0] or found[1], []).append(number)

    def take(self, text: str) -> int | None:
        """The line of `text`, the next one each time; None if it is not seen (written with escapes)."""
        places = self._at.get(text)
        return None if not places else places.pop(0) if len(places) > 1 else places[0]


class _Reader:
    """One pass over the table. Rules are taken in the order of the file, so that each finds its line."""

    def __init__(self, where: str, table: dict[str, object], lines: Lines) -> None:
        self.where = where
        self.table = table
        self.lines = lines
        self.rules: dict[str, Rule] = {}
        self.kinds: dict[str, str] = {}

    def read(self) -> MapFile:
        self._known(self.table, KEYS, "")
        for key, value in self.table.items():
            if key == "labels":
                self._labels(value)
            elif key in ("ech_public_names", "unlabelled"):
                self._take(key, value, None, ech=key == "ech_public_names")
        fallback = self._word("fallback", self.table.get("fallback", "none"), FALLBACKS)
        about = self._text("about", self.table.get("about", ""), least=0, most=1000)
        if not self.rules and fallback == "none":
            self._refuse("labels", None, 'a table [labels.NAME] with rules, or fallback = "registrable-domain"')
        return MapFile(self.where, about, fallback, self._lists(fallback), self.kinds, self.rules, self._tests())

    def _labels(self, value: object) -> None:
        for label, entry in self._table("labels", value).items():
            key = f"labels.{_key(label)}"
            self._text(key, label, most=MOST)
            table = self._table(key, entry)
            self._known(table, LABEL_KEYS, f"{key}.")
            self._text(f"{key}.about", table.get("about", ""), least=0, most=1000)
            self.kinds[label] = self._word(f"{key}.kind", table.get("kind", KINDS[0]), KINDS)
            self._take(f"{key}.rules", table.get("rules"), label)

    def _take(self, key: str, value: object, label: str | None, *, ech: bool = False) -> None:
        """The rules in a list."""
        allowed = "a list of server names, *.name, +.name (name and all below), at least one"
        if not isinstance(value, list) or not value:
            self._refuse(key, value, allowed)
        for written in value:
            patterns = claims(written) if isinstance(written, str) else ()
            if not patterns:
                self._refuse(key, written, f"{allowed}, each of two labels or more, in ASCII (xn--... for others)")
            line = self.lines.take(written)
            for pattern in patterns:
                rule = Rule(pattern, label, written, f"line {line}" if line else key, ech)
                if (other := self.rules.get(pattern)) is not None:
                    raise SettingError(
                        f"{self.where}: {other} and {rule} claim the same names, {pattern}; drop one, or make one longer"
                    )
                self.rules[pattern] = rule

    def _lists(self, fallback: str) -> tuple[str, ...]:
        """A map that labels whatever it meets keeps ads and CDNs apart unless told otherwise."""
        value = self.table.get("lists", list(LISTS) if fallback != "none" else [])
        if not isinstance(value, list):
            self._refuse("lists", value, f"a list of {_either(LISTS)}")
        for each in value:
            self._word("lists", each, LISTS)
        return tuple(each for each in LISTS if each in value)

    def _tests(self) -> dict[str, str | None]:
        tests: dict[str, str | None] = {}
        for name, value in self._table("tests", self.table.get("tests", {})).items():
            if value is False or value == "":
                tests[name] = None
            elif isinstance(value, str):
                tests[name] = value
            else:
                self._refuse(f"tests.{_key(name)}", value, "a label, or false for none")
        return tests

    def _known(self, table: dict[str, object], keys: tuple[str, ...], before: str) -> None:
        for key, value in table.items():
            if key not in keys:
                hint = '; a label with a dot needs quotes: [labels."example.com"]' if isinstance(value, dict) else ""
                raise SettingError(f"{self.where}: {before}{_key(key)} is unknown; known: {', '.join(keys)}{hint}")

    def _table(self, key: str, value: object) -> dict[str, object]:
        if not isinstance(value, dict):
            self._refuse(key, value, "a table")
        return value

    def _word(self, key: str, value: object, allowed: tuple[str, ...]) -> str:
        if not isinstance(value, str) or value not in allowed:
            self._refuse(key, value, _either(allowed))
        return value

    def _text(self, key: str, value: object, *, least: int = 1, most: int) -> str:
        if (
            not isinstance(value, str)
            or not least <= len(value) <= most
            or not value.isprintable()
            or value != value.strip()
        ):
            self._refuse(key, value, f"a printable text of {least} to {most} characters on one line")
        return value

    def _refuse(self, key: str, value: object, allowed: str) -> NoReturn:
        told = "is missing" if value is None else f"= {shown(value)} is not allowed"
        raise SettingError(f"{self.where}: {key} {told}; expected {allowed}")


def shown(value: object) -> str:
    """A value as a message may show it: short, and in ASCII."""
    if isinstance(value, dict):
        return "a table"
    text = ascii(value) if not isinstance(value, bool) else str(value).lower()
    return text if len(text) <= 80 else text[:80] + "..."


def _key(key: str) -> str:
    """A key as TOML writes it, as far as a message goes."""
    return key if re.fullmatch(r"[A-Za-z0-9_-]{1,80}", key) else shown(key).replace("'", '"')


def _either(words: tuple[str, ...]) -> str:
    return " or ".join(f'"{word}"' for word in words)


def quoted(texts: Iterator[str] | list[str] | tuple[str, ...]) -> str:
    """A TOML list of texts that need no escapes."""
    return "[" + ", ".join(f'"{text}"' for text in texts) + "]"
