"""When a drift is told: once, then not again for an hour, unless the model has changed."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

AGAIN_S = 3600.0
"""What is still so after that time is said again."""
KINDS = ("accuracy", "inputs")


class Alarm(NamedTuple):
    """One thing to tell."""

    kind: str
    """Of `KINDS`."""
    text: str


class Alarms:
    """What was told and when, by kind."""

    def __init__(self) -> None:
        self.told: Counter[str] = Counter()
        """Since the start."""
        self._quiet_until: dict[str, float] = {}

    def quiet_until(self, kind: str) -> float:
        """When this kind may be told again; long past where it has not been told."""
        return self._quiet_until.get(kind, float("-inf"))

    def raise_(self, alarm: Alarm, now: float) -> bool:
        """Whether this is to be told now; counts it if so."""
        if now < self.quiet_until(alarm.kind):
            return False
        self._quiet_until[alarm.kind] = now + AGAIN_S
        self.told[alarm.kind] += 1
        return True

    def new_model(self) -> None:
        """What is said of the next model is news."""
        self._quiet_until.clear()
