"""A second model that scores a sample of the flows and never answers.

It takes no time from those that wait: flows are put aside, a bounded number, and scored while the worker has nothing
else to do. On a worker that is never idle it scores few, and says so (`skipped`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

from eacf.flow import Sample
from eacf.inference import Model
from eacf.truth import Window, client_of
from eacf.truth.window import outcome_of
from eacf.verdict import Verdict

ROOM = 256
"""Flows put aside at most; when full, further ones are skipped."""


class Shadow:
    """See the module. Both models are examined on the flows that this one scored, those whose label both know."""

    def __init__(self, model: Model, serving: Model, batch_flows: int, truth_flows: int) -> None:
        """`truth_flows`: exams over which the accuracy of both is told."""
        self.model = model
        self.scored = 0
        self.skipped = 0
        self.agreed = 0
        """Of those scored: the same label, or none, by both."""
        self.refused = 0
        """Of those scored: it lacks what this model needs."""
        self._labels = frozenset(model.bundle.labels) & frozenset(serving.bundle.labels)
        self._own, self._other = Window(truth_flows), Window(truth_flows)
        self._batch_flows = batch_flows
        self._waiting: deque[tuple[Sample, Verdict]] = deque()

    def offer(self, samples: Sequence[Sample], verdicts: Sequence[Verdict]) -> None:
        """Flows that were answered, and how; as many are put aside as there is room for."""
        room = ROOM - len(self._waiting)
        if room > 0:
            self._waiting.extend(zip(samples[:room], verdicts[:room], strict=True))
        self.skipped += max(0, len(samples) - room)

    def step(self, now: float) -> bool:
        """Score one batch; True if more waits."""
        waiting = self._waiting
        pairs = [waiting.popleft() for _ in range(min(self._batch_flows, len(waiting)))]
        answers = self.model.verdicts([sample for sample, _ in pairs])
        for (sample, served), own in zip(pairs, answers, strict=True):
            self.scored += 1
            self.agreed += served.label == own.label
            self.refused += own.reason == "refused"
            if "refused" in (served.reason, own.reason):
                continue
            if served.sni_label in self._labels and own.sni_label in self._labels:
                client = client_of(sample.orig_h)
                for window, verdict in ((self._own, own), (self._other, served)):
                    window.add(client, outcome_of(verdict), verdict.confidence, now)
        return bool(waiting)

    def report(self) -> dict[str, Any]:
        """Its part of a status report. Changes nothing, so that another thread may ask."""
        bundle = self.model.bundle
        return {
            "bundle": {"id": bundle.id, "name": bundle.name, "version": bundle.version},
            "scored": self.scored,
            "skipped": self.skipped,
            "refused": self.refused,
            "agreement": round(self.agreed / self.scored, 4) if self.scored else None,
            **self._own.report(),
            "calibration_error": self._own.calibration()["calibration_error"],
            "serving": self._other.report(),
        }
