"""Every flow whose server name has a label that the model knows is an exam; the others are watched by their lengths.

Law: no clock, no I/O. What a flow costs is bounded: all exams are counted, and `EXAMS_PER_S` of them, in the long run,
go into the windows and to the detectors, so that a window of 2,000 tells of ten seconds at least, also of a busy link.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from eacf.flow import Sample
from eacf.truth.alarms import Alarm, Alarms
from eacf.truth.fair import client_of
from eacf.truth.window import ABSTAINED, OUTCOMES, RIGHT, WRONG, Window, outcome_of
from eacf.verdict import Verdict

if TYPE_CHECKING:
    from eacf.truth.errors import Errors
    from eacf.truth.inputs import Inputs

EXAMS_PER_S = 200.0
LABEL_EXAMS = 200
"""In the window of each label; a label has its own, so that a rare one's is not emptied by the others."""
INPUT_EVERY_S = 0.5
"""One flow that is no exam is looked at so often at most."""
LOOK_S = 1.0


class Examiner:
    """See the module. `labels`: those of the model that serves, `model`: its id."""

    def __init__(self, labels: Collection[str], model: str, *, flows: int, drift: bool, now: float) -> None:
        """`flows`: exams in the window. `drift`: whether one is looked for, which imports river."""
        self.totals = [0] * len(OUTCOMES)
        """Exams since the start, by outcome."""
        self.refused = 0
        """Flows with a label that the model knows, which it could not judge, since the start."""
        self._alarms = Alarms()
        self._flows = flows
        self._looks = drift
        self._before: dict[str, Any] | None = None
        self._paid, self._room = now, float(flows)
        self._look_at = now
        self._begin(labels, model)

    def _begin(self, labels: Collection[str], model: str) -> None:
        self._model = model
        self._known: frozenset[str | None] = frozenset(labels)
        self._window = Window(self._flows)
        self._labels: dict[str, Window] = {}
        self._input_at = float("-inf")
        self._drift = _detectors() if self._looks else None

    def swap(self, labels: Collection[str], model: str, now: float) -> None:
        """Another model serves: windows begin anew, and what the last one's said is kept beside them."""
        self._before = {"bundle": self._model, **self._figures(now)}
        self._alarms.new_model()
        self._begin(labels, model)

    def take(self, samples: Sequence[Sample], verdicts: Sequence[Verdict], now: float) -> None:
        """Flows that were answered, and how."""
        known = self._known
        self._room = min(float(self._flows), self._room + (now - self._paid) * EXAMS_PER_S)
        self._paid = now
        right = wrong = abstained = 0
        for sample, verdict in zip(samples, verdicts, strict=True):
            truth = verdict.sni_label
            if truth in known:
                label = verdict.label
                if label == truth:
                    right += 1
                elif label is not None:
                    wrong += 1
                elif verdict.reason != "refused":
                    abstained += 1
                else:
                    self.refused += 1
                    continue
                if self._room >= 1:
                    self._room -= 1
                    self._exam(client_of(sample.orig_h), verdict, now)
            elif truth is None and now >= self._input_at and self._drift is not None:
                self._input_at = now + INPUT_EVERY_S
                self._drift[1].add(client_of(sample.orig_h), sample)
        for outcome, count in ((RIGHT, right), (WRONG, wrong), (ABSTAINED, abstained)):
            self.totals[outcome] += count

    def _exam(self, client: int, verdict: Verdict, now: float) -> None:
        label, outcome, confidence = str(verdict.sni_label), outcome_of(verdict), verdict.confidence
        self._window.add(client, outcome, confidence, now)
        of_label = self._labels.get(label)
        if of_label is None:
            of_label = self._labels[label] = Window(min(self._flows, LABEL_EXAMS))
        of_label.add(client, outcome, confidence, now)
        if self._drift is not None:
            self._drift[0].add(client, outcome != RIGHT, now)

    def idle(self) -> None:
        """Do what takes a moment and may wait."""
        if self._drift is not None:
            self._drift[1].test()

    def look(self, now: float) -> Iterator[Alarm]:
        """What is to be told now. Cheap enough for every turn of a loop."""
        if now < self._look_at:
            return
        self._look_at = now + LOOK_S
        for alarm in self._drifts():
            if self._alarms.raise_(alarm, now):
                yield alarm

    def next_look(self) -> float | None:
        """When :meth:`look` has something to tell; None: nothing, as far as is known."""
        quiet = [self._alarms.quiet_until(alarm.kind) for alarm in self._drifts()]
        return max(self._look_at, min(quiet)) if quiet else None

    def _drifts(self) -> Iterator[Alarm]:
        if self._drift is None:
            return
        errors, inputs = self._drift
        if errors.worse:
            was = f"{errors.usual:.1%} when it was best"
            yield Alarm(
                "accuracy", f"wrong or abstained on {errors.seen[1]:.1%} of the flows whose name is known, {was}"
            )
        if inputs.changed:
            yield Alarm("inputs", inputs.text)

    def report(self, now: float) -> dict[str, Any]:
        """Its part of a status report. Changes nothing, so that another thread may ask."""
        return {
            **self._figures(now),
            "labels": {label: window.report() for label, window in sorted(self._labels.copy().items())},
            "drift": None if self._drift is None else _drift_report(*self._drift),
            "alarms": dict(self._alarms.told),
            "ever": {**dict(zip(OUTCOMES, self.totals, strict=True)), "refused": self.refused},
            "before": self._before,
        }

    def _figures(self, now: float) -> dict[str, Any]:
        window = self._window
        seconds = None if window.since is None else round(now - window.since, 1)
        return {**window.report(), **window.calibration(), "seconds": seconds, "clients": window.clients}


def _detectors() -> tuple[Errors, Inputs]:
    """Imported where they are wanted alone: with them comes river."""
    from eacf.truth.errors import Errors
    from eacf.truth.inputs import Inputs

    return Errors(), Inputs()


def _drift_report(errors: Errors, inputs: Inputs) -> dict[str, Any]:
    reference, latest = inputs.sizes
    exams, rate = errors.seen
    return {
        "error_rate": round(rate, 4) if exams else None,
        "error_flows": exams,
        "usual_error_rate": None if errors.usual is None else round(errors.usual, 4),
        "input_distance": inputs.distance,
        "input_flows": {"reference": reference, "latest": latest},
        "now": {"accuracy": errors.worse, "inputs": inputs.changed},
    }
