"""Values out of a report, each looked at before it is used."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

Report = Mapping[str, object]

MAX_TEXT = 100
"""Characters of one text that are shown."""
MAX_LIST = 32
"""Entries of a list or an object that are shown; the rest is counted."""
MAX_NUMBER = 10**18
"""A larger number is none of ours."""


def at(report: object, *path: str) -> object:
    """The value at a path of keys; None where there is none."""
    for key in path:
        report = report.get(key) if isinstance(report, Mapping) else None
    return report


def number(value: object) -> int | float | None:
    """The value if it is a number that can be reckoned with, else None."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return value if abs(value) <= MAX_NUMBER and math.isfinite(value) else None


def count(value: object) -> int | None:
    """The value if it is a whole number of 0 or more, else None. Zeek writes some counts as doubles."""
    found = number(value)
    return int(found) if found is not None and found >= 0 and found == int(found) else None


def text(value: object) -> str:
    """Anything on one line: "-" for what is missing, numbers with their thousands parted, nothing unprintable."""
    if value is None:
        return "-"
    found = number(value)
    said = f"{found:,}" if found is not None else _clipped(value)
    return "".join(character if character.isprintable() else "?" for character in said)


def _clipped(value: object) -> str:
    if isinstance(value, (str, bool)):
        return str(value)[:MAX_TEXT]
    if isinstance(value, (Mapping, Sequence)):
        return "(something else)"
    return "(a number out of range)"


def entries(value: object) -> list[Report]:
    """The objects in a list, MAX_LIST at most; none where it is no list."""
    return [each for each in value if isinstance(each, Mapping)][:MAX_LIST] if isinstance(value, list) else []


def kind_of(report: Report) -> str:
    """Who says it: "worker" (whose reports have no kind), "zeek", "enforce" (a gateway's agent), "relay", or a word that this
    release does not know."""
    kind = report.get("kind")
    return "worker" if kind is None else text(kind) if isinstance(kind, str) and kind else "?"


def is_zeek(report: Report) -> bool:
    """Whether a Zeek process says it."""
    return report.get("kind") == "zeek"


def is_worker(report: Report) -> bool:
    """Whether a worker says it."""
    return kind_of(report) == "worker"


def name_of(report: Report) -> str:
    """Id of whoever says it, to be shown."""
    return text(report.get("node" if is_zeek(report) else "worker"))


def total(counts: object) -> int | None:
    """The sum of counts by name; None where there is something else."""
    if not isinstance(counts, Mapping):
        return None
    found = [count(each) for each in counts.values()]
    return None if None in found else sum(each for each in found if each is not None)
