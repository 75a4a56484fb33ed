"""What a check found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warning", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's."""

    check: str
    """A word or two: what was looked at."""
    state: State
    seen: str
    remedy: str = ""
    """What to do about it; empty where all is well."""


def ok(check: str, seen: str) -> Finding:
    """All is well."""
    return Finding(check, "ok", seen)


def warning(check: str, seen: str, remedy: str) -> Finding:
    """Labels appear all the same, or it may be meant so."""
    return Finding(check, "warning", seen, remedy)


def problem(check: str, seen: str, remedy: str) -> Finding:
    """Some or all labels are missing for it."""
    return Finding(check, "problem", seen, remedy)
