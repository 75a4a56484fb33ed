"""From a file to a policy. Every fault is told with its line, the value and the remedy, all of them at once."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from eacf.errors import SettingError
from eacf.policy import subset, units
from eacf.policy.model import (
    CONFIDENCE,
    CONTRADICTION,
    DEFAULT_CLASSES,
    LASTS_S,
    Bounds,
    Class,
    Mode,
    Network,
    Policy,
    Table,
)
from eacf.policy.subset import Entry, Section

MAX_BYTES = 4 << 20
MAX_BOUND = 1_000_000
MAX_MARK = 0x7FFFFFFF
ACT_KEYS = ("priority", "dscp", "rate", "for", "block", "shunt")
SECTIONS = ("bounds", "classes", "group", "label", "unknown", "server name contradicted")
KEYED = ("classes", "group", "label")
_T = TypeVar("_T")


def read(file: Path) -> Policy:
    """The policy in `file`. SettingError, with a line for each fault."""
    return parse(data_of(file), str(file))


def data_of(file: Path) -> bytes:
    """What is in it; SettingError where that cannot be said, or is too much."""
    try:
        with file.open("rb") as source:
            data = source.read(MAX_BYTES + 1)
    except OSError as error:
        raise SettingError(f"{file}: cannot be read ({error.strerror}); give a policy (docs/policy.md)") from None
    if len(data) > MAX_BYTES:
        raise SettingError(f"{file}: more than {MAX_BYTES:,} bytes; that is no policy")
    return data


def parse(data: bytes, source: str) -> Policy:
    """The policy that the bytes of a file hold; `source` is how messages name it. SettingError."""
    policy, faults = faults_of(data)
    if faults:
        raise SettingError(refusal(faults, source))
    return policy


def refusal(faults: list[tuple[int, str]], source: str) -> str:
    """All that is wrong with a file, a line for each."""
    return "\n".join(f"{source}: {f'line {line}: ' if line else ''}{fault}" for line, fault in faults)


def faults_of(data: bytes) -> tuple[Policy, list[tuple[int, str]]]:
    """As much of the policy as can be read, and what is wrong: line (0: of the whole file) and words, in order."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        return Policy(), [(data.count(b"\n", 0, error.start) + 1, "not UTF-8; write the file anew in UTF-8")]
    document = subset.scan(text)
    reading = _Reading(document.sections)
    policy = reading.policy()
    faults = document.faults + reading.faults
    if not faults and (wrong := _toml_fault(text)) is not None:
        faults.append((0, wrong))
    return policy, sorted(faults, key=lambda fault: fault[0])


def _toml_fault(text: str) -> str | None:
    """What a reader of all of TOML finds, where Zeek's part of it finds nothing."""
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return f"not TOML ({error}); write it as docs/policy.md says"
    return None


class _Reading:
    """Looks at each section; what is wrong is noted, and a default stands in its place."""

    def __init__(self, sections: list[Section]) -> None:
        self.faults: list[tuple[int, str]] = []
        self._sections = [section for section in sections[1:] if self._known(section)]
        self._top = sections[0]
        self._classes: Mapping[str, Class] = {}

    def policy(self) -> Policy:
        top = self._top
        self._check_keys(top, ("mode", "confidence", "leave_alone"))
        confidence = self._value(top, "confidence", _confidence, CONFIDENCE)
        self._classes = {each.key: self._class(each) for each in self._named("classes") if each.key} or DEFAULT_CLASSES
        grouped: dict[str, Table] = {}
        for section in self._named("group"):
            self._group(section, confidence, grouped)
        labels = {each.key: self._label(each, confidence) for each in self._named("label") if each.key is not None}
        return Policy(
            mode=self._value(top, "mode", _mode, "dry-run"),
            confidence=confidence,
            leave_alone=self._value(top, "leave_alone", _networks, ()),
            bounds=self._bounds(),
            classes=self._classes,
            labels=grouped | labels,
            unknown=self._one("unknown", ACT_KEYS, 0.0),
            contradicted=self._one("server name contradicted", (*ACT_KEYS, "confidence"), CONTRADICTION),
        )

    def _named(self, name: str) -> list[Section]:
        return [section for section in self._sections if section.name == name]

    def _known(self, section: Section) -> bool:
        """Whether there may be such a table."""
        if section.name not in SECTIONS:
            what = f"there is no such table; there are {', '.join(SECTIONS)}"
        elif section.name in KEYED and section.key is None:
            what = f"a name is missing, [{section.name}.NAME]"
        elif section.name not in KEYED and section.key is not None:
            what = "this table has no parts"
        elif section.key is not None and not units.is_name(section.key):
            what = f"a name has 1 to {units.MAX_NAME} bytes and no control characters"
        else:
            return True
        self._table_fault(section, what)
        return False

    def _table_fault(self, section: Section, what: str) -> None:
        self.faults.append((section.line, f"{section.header}: {what}"))

    def _fault(self, section: Section, entry: Entry, what: str) -> None:
        where = f"{section.header} " if section.header else ""
        self.faults.append((entry.line, f"{where}{entry.key} = {entry.shown}: {what}"))

    def _check_keys(self, section: Section, known: tuple[str, ...]) -> None:
        for key, entry in section.entries.items():
            if key not in known:
                self._fault(section, entry, f"there is no such key here; there are {', '.join(known)}")

    def _value(self, section: Section, key: str, read: Callable[[Any], _T], otherwise: _T) -> _T:
        """What `read` makes of the entry `key`; `otherwise` where it is missing or wrong."""
        if (entry := section.entries.get(key)) is None:
            return otherwise
        try:
            return read(entry.value)
        except ValueError as error:
            self._fault(section, entry, str(error))
            return otherwise

    def _bounds(self) -> Bounds:
        for section in self._named("bounds"):
            self._check_keys(section, Bounds.__slots__)
            usual = Bounds()
            said = {
                key: self._value(section, key, _whole(1, MAX_BOUND), getattr(usual, key)) for key in Bounds.__slots__
            }
            return Bounds(**said)
        return Bounds()

    def _class(self, section: Section) -> Class:
        self._check_keys(section, ("mark", "tc"))
        if not {"mark", "tc"} & section.entries.keys() and section.is_whole:
            self._table_fault(section, "says nothing of the gateway: one of mark, tc")
        return Class(
            self._value(section, "mark", _whole(1, MAX_MARK), None), self._value(section, "tc", _of(units.tc), None)
        )

    def _label(self, section: Section, confidence: float) -> Table:
        self._check_keys(section, (*ACT_KEYS, "confidence"))
        return self._table(section, f"label {section.key}", confidence)

    def _group(self, section: Section, confidence: float, grouped: dict[str, Table]) -> None:
        self._check_keys(section, (*ACT_KEYS, "confidence", "labels"))
        table = self._table(section, f"group {section.key}", confidence)
        labels: list[str] = self._value(section, "labels", _strings, [""])
        if "labels" not in section.entries or not labels:
            if section.is_whole:
                self._table_fault(section, 'labels is missing, what belongs to the group: labels = ["a", "b"]')
            return
        entry = section.entries["labels"]
        for label in labels:
            if not units.is_name(label):
                if isinstance(entry.value, list):
                    self._fault(section, entry, f"a label has 1 to {units.MAX_NAME} bytes and no control characters")
            elif label in grouped:
                self._fault(section, entry, f"{label} is in {grouped[label].name} already; a label is in one group")
            else:
                grouped[label] = table

    def _one(self, name: str, known: tuple[str, ...], confidence: float) -> Table | None:
        for section in self._named(name):
            self._check_keys(section, known)
            return self._table(section, name, confidence)
        return None

    def _table(self, section: Section, name: str, confidence: float) -> Table:
        table = Table(
            name,
            self._value(section, "confidence", _confidence, confidence),
            self._value(section, "priority", self._priority, None),
            self._value(section, "dscp", _dscp, None),
            self._value(section, "rate", _of(units.rate), None),
            self._value(section, "block", _flag, False),
            self._value(section, "shunt", _flag, False),
            self._value(section, "for", _of(units.lasts), LASTS_S),
        )
        others = [key for key in ("priority", "dscp", "rate") if key in section.entries]
        if table.block and (others or table.shunt):
            self._table_fault(section, "block leaves nothing for priority, dscp, rate or shunt: one or the other")
        unread = [key for key in ("block", "shunt") if not isinstance(section.value(key, False), bool)]
        if not (table.block or table.shunt or others or unread) and section.is_whole:
            self._table_fault(section, "says nothing to do: one of priority, dscp, rate, block, shunt")
        return table

    def _priority(self, value: object) -> str:
        said = _string(value)
        if said not in self._classes:
            known = ", ".join(sorted(self._classes))
            raise ValueError(f"there is no such class; there are {known}, and [classes.NAME] makes one")
        return said


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError('a "string" is wanted')
    return value


def _strings(value: object) -> list[str]:
    if not isinstance(value, list):
        raise ValueError('an array of strings is wanted, ["a", "b"]')
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false is wanted")
    return value


def _confidence(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1:
        raise ValueError("a number from 0 to 1 is wanted")
    return float(value)


def _whole(least: int, most: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise ValueError(f"a whole number from {least} to {most} is wanted")
        return value

    return read


def _of(read: Callable[[str], _T]) -> Callable[[object], _T]:
    return lambda value: read(_string(value))


def _dscp(value: object) -> int:
    return units.dscp(value) if isinstance(value, str) else _whole(0, 63)(value)


def _mode(value: object) -> Mode:
    said = _string(value)
    if said == "act":
        return "act"
    if said == "dry-run":
        return "dry-run"
    raise ValueError('a mode is "dry-run" or "act"')


def _networks(value: object) -> tuple[Network, ...]:
    return tuple(dict.fromkeys(units.network(each) for each in _strings(value)))
