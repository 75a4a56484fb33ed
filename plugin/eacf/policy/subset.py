"""The part of TOML in which a policy is written, statement by statement with its line.

Zeek's script reads no more than this (zeek/toml.zeek): comments, ``[table]``, ``[table.key]``, ``[table."quoted key"]``, and
``key = value`` with a basic string, a decimal integer, a float, a boolean, or an array of strings, which may take several lines. What is
read here is valid TOML of the same meaning; :mod:`eacf.policy.reading` has `tomllib` confirm that.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

MAX_LINES = 10_000
SHOWN = 80
"""Characters of a line that a fault shows."""

# A basic string with two escapes, a comment, a word (bare key, dotted keys, number), a bracket, an equals sign, a comma.
_TOKEN = re.compile(r'"(?:[^"\\\x00-\x1f\x7f]|\\["\\])*"|#[^\x00-\x08\x0a-\x1f\x7f]*|[A-Za-z0-9_.+-]+|[\[\]=,]')
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_INTEGER = re.compile(r"[+-]?(0|[1-9][0-9]{0,14})")
_FLOAT = re.compile(r"[+-]?(0|[1-9][0-9]{0,14})\.[0-9]+")
_BLANKS = re.compile(r"[ \t]*")

LINE = (
    'a line is `key = value`, a table, or a comment; a value is a "string", a decimal number, true, false, or an array of '
    "strings (Zeek's script reads no more of TOML)"
)
HEADER = 'a table is [name], [name.key] or [name."quoted key"]'

Value = str | int | float | bool | list[str]


class Fault(Exception):
    """What is wrong with the line at hand."""


@dataclass(frozen=True, slots=True)
class Entry:
    """``key = value``."""

    line: int
    key: str
    value: Value
    shown: str
    """As it is written."""


@dataclass(slots=True)
class Section:
    """A table with its entries; the first one has what stands before all tables."""

    line: int
    header: str
    """As it is written: ``[label."video a"]``; empty for the first."""
    name: str = ""
    key: str | None = None
    entries: dict[str, Entry] = field(default_factory=dict)
    is_whole: bool = True
    """Whether all its lines could be read; if not, what is missing may stand in one of them."""

    def value(self, key: str, otherwise: Value) -> Value:
        """What stands there; `otherwise` if nothing does."""
        return self.entries[key].value if key in self.entries else otherwise


@dataclass
class Document:
    """A file as it is written."""

    sections: list[Section]
    faults: list[tuple[int, str]]
    """Line, and what is wrong with it."""


def scan(text: str) -> Document:
    """All statements of a file, and all that is none."""
    reader = _Reader()
    lines = text.removesuffix("\n").split("\n")
    for line in lines[:MAX_LINES]:
        reader.line += 1
        try:
            reader.take(line.removesuffix("\r"))
        except Fault as fault:
            reader.faults.append((reader.line, str(fault)))
            reader.at.is_whole = False
    if len(lines) > MAX_LINES:
        reader.faults.append((MAX_LINES + 1, f"a policy has at most {MAX_LINES:,} lines"))
    if reader.array is not None:
        reader.faults.append((reader.array.line, f"{reader.array.key}: this array has no end"))
        reader.at.is_whole = False
    return Document(reader.sections, reader.faults)


@dataclass
class _Array:
    line: int
    key: str
    tokens: list[str] = field(default_factory=list)


class _Reader:
    def __init__(self) -> None:
        self.line = 0
        self.at = Section(1, "")
        self.sections = [self.at]
        self.faults: list[tuple[int, str]] = []
        self.array: _Array | None = None
        self._seen: set[tuple[str, str | None]] = set()

    def take(self, line: str) -> None:
        """One line. Fault."""
        if self.array is None and line.lstrip(" \t").startswith("["):
            # What follows belongs here, and is not looked at where it cannot be said what this is.
            self.at = Section(self.line, _shown(line))
        if not _BLANKS.fullmatch(_TOKEN.sub("", line)):
            raise Fault(f"{_shown(line)} cannot be read; {LINE}")
        tokens = _TOKEN.findall(line)
        if tokens and tokens[-1].startswith("#"):
            tokens.pop()
        if not tokens:
            return
        if self.array is not None:
            self._more(self.array, tokens)
        elif tokens[0] == "[":
            self._begin(tokens)
        elif len(tokens) < 3 or not _BARE.fullmatch(tokens[0]) or tokens[1] != "=":
            raise Fault(LINE)
        elif tokens[2] == "[":
            self.array = _Array(self.line, tokens[0])
            self._more(self.array, tokens[3:])
        else:
            value = _scalar(tokens[2])
            if len(tokens) > 3 or value is None:
                raise Fault(f"{tokens[0]}: {LINE}")
            self._add(Entry(self.line, tokens[0], value, tokens[2]))

    def _begin(self, tokens: list[str]) -> None:
        section = self.at
        section.header = f"[{''.join(tokens[1:-1])}]"
        if not 3 <= len(tokens) <= 4 or tokens[-1] != "]":
            raise Fault(HEADER)
        first = tokens[1]
        if len(tokens) == 3 and first.startswith('"'):
            section.name = _text(first)
        elif len(tokens) == 3:
            section.name, dot, key = first.partition(".")
            section.key = key if dot else None
            if not all(_BARE.fullmatch(part) for part in first.split(".")) or "." in key:
                raise Fault(HEADER)
        else:
            section.name, section.key = first.removesuffix("."), _text(tokens[2])
            if not first.endswith(".") or not _BARE.fullmatch(section.name) or not tokens[2].startswith('"'):
                raise Fault(HEADER)
        self.sections.append(section)
        if (section.name, section.key) in self._seen:
            raise Fault(f"{section.header}: this table is there twice")
        self._seen.add((section.name, section.key))

    def _add(self, entry: Entry) -> None:
        entries = self.at.entries
        if entry.key in entries:
            raise Fault(f"{entry.key}: this key is there twice")
        entries[entry.key] = entry

    def _more(self, array: _Array, tokens: list[str]) -> None:
        array.tokens += tokens
        if not array.tokens or array.tokens[-1] != "]":
            return
        self.array = None
        items: list[str] = []
        for number, token in enumerate(array.tokens[:-1]):
            if number % 2 and token != ",":  # noqa: S105 - no password
                raise Fault(f"{array.key}: {token}: a comma is wanted between two strings")
            if number % 2 == 0:
                if not token.startswith('"'):
                    raise Fault(f"{array.key}: {token}: an array holds strings alone")
                items.append(_text(token))
        self._add(Entry(array.line, array.key, items, "[...]"))


def _shown(line: str) -> str:
    """A line for a message: short, and nothing that a terminal would obey."""
    return "".join(each if each.isprintable() else "\ufffd" for each in line.strip()[:SHOWN])


def _scalar(token: str) -> Value | None:
    if token.startswith('"'):
        return _text(token)
    if _INTEGER.fullmatch(token):
        return int(token)
    if _FLOAT.fullmatch(token):
        return float(token)
    return {"true": True, "false": False}.get(token)


def _text(token: str) -> str:
    """A string without its quotes and escapes; a token that is none as it is."""
    return re.sub(r"\\(.)", r"\1", token[1:-1]) if token.startswith('"') else token
