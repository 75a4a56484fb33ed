"""Accuracy, coverage and calibration over the last so many exams.

An exam is a flow whose server name has a label that the model knows. A verdict on it is right, wrong or abstained.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from eacf.truth.fair import Fair
from eacf.verdict import Verdict

RIGHT, WRONG, ABSTAINED = range(3)
OUTCOMES = ("right", "wrong", "abstained")
BINS = 10
MILLION = 1_000_000


class Exam(NamedTuple):
    """One answer."""

    outcome: int
    confidence: int
    """In millionths, so that what is added and taken off again leaves nothing behind."""
    at: float


def outcome_of(verdict: Verdict) -> int:
    """Of a verdict that is not refused, on a flow with an `sni_label`."""
    return RIGHT if verdict.label == verdict.sni_label else ABSTAINED if verdict.label is None else WRONG


class Window:
    """See the module. No client holds more than a fifth of it."""

    def __init__(self, room: int) -> None:
        self.counts = [0] * len(OUTCOMES)
        self.since: float | None = None
        """When the oldest exam was taken."""
        self._exams: Fair[Exam] = Fair(room)
        # Of what was answered, by confidence: how many, their confidence in millionths, how many right.
        self._bins = [[0, 0, 0] for _ in range(BINS)]

    @property
    def clients(self) -> int:
        """Whose exams these are."""
        return self._exams.clients

    def add(self, client: int, outcome: int, confidence: float, now: float) -> None:
        """Take one exam."""
        exam = Exam(outcome, int(confidence * MILLION), now)
        self._count(exam, 1)
        gone = self._exams.push(client, exam)
        if gone is not None:
            self._count(gone, -1)
        if gone is not None or self.since is None:
            oldest = self._exams.oldest
            self.since = now if oldest is None else oldest.at

    def _count(self, exam: Exam, times: int) -> None:
        self.counts[exam.outcome] += times
        if exam.outcome != ABSTAINED:
            of = self._bins[min(BINS - 1, exam.confidence * BINS // MILLION)]
            of[0] += times
            of[1] += times * exam.confidence
            of[2] += times * (exam.outcome == RIGHT)

    def report(self) -> dict[str, Any]:
        """Accuracy: right of what was answered. Coverage: answered of all exams. Both None where there is none. Changes
        nothing, so that another thread may ask."""
        right, wrong, abstained = self.counts
        exams = right + wrong + abstained
        return {
            "exams": exams,
            "right": right,
            "wrong": wrong,
            "abstained": abstained,
            "accuracy": _share(right, right + wrong),
            "coverage": _share(right + wrong, exams),
        }

    def calibration(self) -> dict[str, Any]:
        """Expected calibration error (Naeini et al., AAAI 2015) over what was answered, and its bins: lower end, answers, mean
        confidence, share that is right. What the model would have said where it abstained is not known."""
        bins = [tuple(each) for each in self._bins]
        answered = sum(many for many, _, _ in bins)
        gaps = sum(abs(right - confidence / MILLION) for _, confidence, right in bins)
        return {
            "calibration_error": _share(gaps, answered),
            "bins": [
                [at / BINS, many, round(confidence / MILLION / many, 4), round(right / many, 4)]
                for at, (many, confidence, right) in enumerate(bins)
                if many
            ],
        }


def _share(part: float, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
