"""Every flow whose server name has a label that the model knows is an exam; the others are watched by their lengths.

Law: no clock, no I/O. What a flow costs is bounded: all exams are counted, and `EXAMS_PER_S` of them, in the long run,
go into the windows and to the detectors, so that a window of 2,000 tells of ten seconds at least, also of a busy link.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from eacf.flow import Sample
from eacf.truth.adwin import Adwin
from eacf.truth.alarms import Alarm, Alarms
from eacf.truth.fair import client_of
from eacf.truth.inputs import Inputs
from eacf.truth.window import OUTCOMES, RIGHT, Window, outcome_of
from eacf.verdict import Verdict

EXAMS_PER_S = 200.0
LABEL_EXAMS = 200
"""In the window of each label; a label has its own, so that a rare one's is not emptied by the others."""
SLOT_S = 10.0
"""The detector of errors is given one exam of each client in so long: those of one moment are not independent."""
MAX_CLIENTS = 4096
"""Whose exams it is given in that time."""
DELTA = 1e-4
WORSE = 0.05
"""An error rate that has risen by less is not told of."""
INPUT_EVERY_S = 0.5
"""One flow that is no exam is looked at so often at most."""
LOOK_S = 1.0


class Examiner:
    """See the module. `labels`: those of the model that serves, `model`: its id."""

    def __init__(self, labels: Collection[str], model: str, *, flows: int, drift: bool, now: float) -> None:
        """`flows`: exams in the window. `drift`: whether anyone is to be told of one."""
        self.totals = [0] * len(OUTCOMES)
        """Exams since the start, by outcome."""
        self.refused = 0
        """Flows with a label that the model knows, which it could not judge, since the start."""
        self._alarms = Alarms()
        self._flows = flows
        self._drift = drift
        self._before: dict[str, Any] | None = None
        self._paid, self._room = now, float(flows)
        self._look_at = now
        self._begin(labels, model)

    def _begin(self, labels: Collection[str], model: str) -> None:
        self._model = model
        self._known = frozenset(labels)
        self._window = Window(self._flows)
        self._labels: dict[str, Window] = {}
        self._errors = Adwin(DELTA)
        self._usual: float | None = None
        self._worse = False
        self._inputs = Inputs()
        self._input_at = float("-inf")
        self._slot_ends = float("-inf")
        self._slot: set[int] = set()

    def swap(self, labels: Collection[str], model: str, now: float) -> None:
        """Another model serves: windows begin anew, and what the last one's said is kept beside them."""
        self._before = {"bundle": self._model, **self._figures(now)}
        self._alarms.new_model()
        self._begin(labels, model)

    def take(self, samples: Sequence[Sample], verdicts: Sequence[Verdict], now: float) -> None:
        """Flows that were answered, and how."""
        known, totals = self._known, self.totals
        self._room = min(float(self._flows), self._room + (now - self._paid) * EXAMS_PER_S)
        self._paid = now
        for sample, verdict in zip(samples, verdicts, strict=True):
            truth = verdict.sni_label
            if truth is None:
                if self._drift and now >= self._input_at:
                    self._input_at = now + INPUT_EVERY_S
                    self._inputs.add(client_of(sample.orig_h), sample)
            elif truth in known:
                if verdict.reason == "refused":
                    self.refused += 1
                    continue
                outcome = outcome_of(verdict)
                totals[outcome] += 1
                if self._room >= 1:
                    self._room -= 1
                    self._exam(client_of(sample.orig_h), truth, outcome, verdict.confidence, now)

    def _exam(self, client: int, label: str, outcome: int, confidence: float, now: float) -> None:
        self._window.add(client, outcome, confidence, now)
        of_label = self._labels.get(label)
        if of_label is None:
            of_label = self._labels[label] = Window(min(self._flows, LABEL_EXAMS))
        of_label.add(client, outcome, confidence, now)
        if self._drift:
            self._watch(client, outcome, now)

    def _watch(self, client: int, outcome: int, now: float) -> None:
        """An error is whatever is not right: a model that has become unsure where it was sure has drifted, too."""
        if now >= self._slot_ends:
            self._slot_ends = now + SLOT_S
            self._slot.clear()
        if client in self._slot or len(self._slot) >= MAX_CLIENTS:
            return
        self._slot.add(client)
        change = self._errors.update(float(outcome != RIGHT))
        if change is not None:
            self._usual = min(change.before if self._usual is None else self._usual, change.after)
            self._worse = change.after >= self._usual + WORSE

    def look(self, now: float) -> Iterator[Alarm]:
        """What is to be told now. Cheap enough for every turn of a loop."""
        if now < self._look_at:
            return
        self._look_at = now + LOOK_S
        for alarm in self._drifts():
            if self._alarms.raise_(alarm, now):
                yield alarm

    def _drifts(self) -> Iterator[Alarm]:
        if self._worse and self._usual is not None:
            now, usual = self._errors.mean, self._usual
            yield Alarm(
                "accuracy", f"wrong or abstained on {now:.1%} of the flows whose name is known, {usual:.1%} before"
            )
        if self._inputs.changed:
            yield Alarm("inputs", self._inputs.text)

    def report(self, now: float) -> dict[str, Any]:
        """Its part of a status report. Changes nothing, so that another thread may ask."""
        reference, latest = self._inputs.sizes
        return {
            **self._figures(now),
            "labels": {label: window.report() for label, window in sorted(self._labels.copy().items())},
            "drift": {
                "error_rate": round(self._errors.mean, 4) if self._errors.width else None,
                "error_flows": self._errors.width,
                "usual_error_rate": None if self._usual is None else round(self._usual, 4),
                "input_distance": self._inputs.distance,
                "input_flows": {"reference": reference, "latest": latest},
                "now": {"accuracy": self._worse, "inputs": self._inputs.changed},
            }
            if self._drift
            else None,
            "alarms": dict(self._alarms.told),
            "ever": {**dict(zip(OUTCOMES, self.totals, strict=True)), "refused": self.refused},
            "before": self._before,
        }

    def _figures(self, now: float) -> dict[str, Any]:
        window = self._window
        seconds = None if window.since is None else round(now - window.since, 1)
        return {**window.report(), **window.calibration(), "seconds": seconds, "clients": window.clients}
