"""A second model that scores a sample of the flows and never answers.

It takes no time from those that wait: flows are put aside, a bounded number, and scored while the worker has nothing
else to do. On a worker that is never idle it scores none, and says so (`skipped`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

from eacf.flow import Sample
from eacf.inference import Model
from eacf.verdict import Verdict

ROOM = 256
"""Flows put aside at most; when full, further ones are skipped."""


class Shadow:
    """See the module."""

    def __init__(self, model: Model, batch_flows: int) -> None:
        self.model = model
        self.scored = 0
        self.skipped = 0
        self.agreed = 0
        self._batch_flows = batch_flows
        self._waiting: deque[tuple[Sample, Verdict]] = deque()

    def offer(self, samples: Sequence[Sample], verdicts: Sequence[Verdict]) -> None:
        """Flows that were answered, and how; as many are put aside as there is room for."""
        room = ROOM - len(self._waiting)
        if room > 0:
            self._waiting.extend(zip(samples[:room], verdicts[:room], strict=True))
        self.skipped += max(0, len(samples) - room)

    def step(self) -> bool:
        """Score one batch; True if more waits."""
        waiting = self._waiting
        pairs = [waiting.popleft() for _ in range(min(self._batch_flows, len(waiting)))]
        for (_, verdict), own in zip(pairs, self.model.verdicts([sample for sample, _ in pairs]), strict=True):
            self.agreed += verdict.label == own.label
        self.scored += len(pairs)
        return bool(waiting)

    def report(self) -> dict[str, Any]:
        """Its part of a status report. Changes nothing."""
        bundle = self.model.bundle
        return {
            "bundle": {"id": bundle.id, "name": bundle.name, "version": bundle.version},
            "scored": self.scored,
            "skipped": self.skipped,
            "agreement": round(self.agreed / self.scored, 4) if self.scored else None,
        }
