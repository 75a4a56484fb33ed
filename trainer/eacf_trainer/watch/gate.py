"""Whether a candidate may take the serving model's place: both are asked about samples that neither learnt from. Pure.

The candidate must be better by a test, not by a bare comparison: macro-F1 on samples drawn again and again, whole clients where there are
enough of them (flows of one client are no independent witnesses), paired, since both models are asked about the same samples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eacf_trainer.calibrate import Calibration
from eacf_trainer.watch import settings as all_settings

Settings = all_settings.Gate
Names = NDArray[np.str_]
BINS = 10
AT_ONCE = 500
"""Draws that are counted together, so that memory stays small."""
NOBODY = ""
"""In place of a label: none."""


@dataclass(frozen=True)
class Scores:
    """What a model said."""

    labels: tuple[str, ...]
    logits: NDArray[np.float32]
    """(n, outputs), of the int8 model."""
    calibration: Calibration

    @property
    def best(self) -> Names:
        """(n,) the best label of each, said or not."""
        if not len(self.logits):
            return np.zeros(0, np.str_)
        found: Names = np.array(self.labels)[self.logits[:, : len(self.labels)].argmax(axis=1)]
        return found

    @property
    def said(self) -> NDArray[np.bool_]:
        """(n,) it would have been said."""
        return self.calibration.said(self.logits) if len(self.logits) else np.zeros(0, bool)

    @property
    def confidence(self) -> NDArray[np.float64]:
        return self.calibration.confidence(self.logits) if len(self.logits) else np.zeros(0)


@dataclass(frozen=True)
class Cost:
    """What a model takes."""

    us_per_flow: float
    size_kb: float


@dataclass(frozen=True)
class Golden:
    """What both said of the operator's own samples."""

    wanted: Sequence[str]
    serving: Scores
    candidate: Scores


@dataclass(frozen=True)
class Check:
    """One condition."""

    name: str
    passed: bool
    text: str
    """What was found, and what is allowed."""


@dataclass(frozen=True)
class Judgement:
    """What came out."""

    accepted: bool
    checks: tuple[Check, ...]
    judged: int
    """Samples of labels that were asked about."""
    unknown: int
    """Those of no label."""
    clients: int
    drawn: str
    """"clients" or "flows"."""
    p: float
    """Probability, by the bootstrap, that the candidate is not better."""
    gain: tuple[float, float]
    """95 % interval of the gain in macro-F1."""
    serving: Mapping[str, float | None]
    candidate: Mapping[str, float | None]
    labels: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)
    """By label: flows, F1 of both."""

    def document(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)

    @property
    def reasons(self) -> tuple[str, ...]:
        """What failed."""
        return tuple(check.text for check in self.checks if not check.passed)


def judge(
    serving: Scores,
    candidate: Scores,
    wanted: Sequence[str | None],
    clients: Sequence[str],
    settings: Settings | None = None,
    *,
    costs: tuple[Cost, Cost] | None = None,
    golden: Golden | None = None,
    seed: int = 0,
) -> Judgement:
    """Hold the candidate against the serving model. `wanted`: (n,) labels, None for flows of none; `costs`: the serving model's, then the
    candidate's. A label that neither model knows counts as none."""
    settings = settings or Settings()
    union = set(serving.labels) | set(candidate.labels)
    names: Names = np.array([label if label in union else NOBODY for label in (each or NOBODY for each in wanted)])
    known = names != NOBODY if len(names) else np.zeros(0, bool)
    truth, whose = names[known], np.array([str(client) for client in clients])[known]
    sides = {"serving": serving, "candidate": candidate}
    best = {side: scores.best[known] for side, scores in sides.items()}
    by_client = len(set(whose.tolist())) >= settings.clients
    groups = whose if by_client else np.arange(len(truth)).astype(np.str_)
    drawn = differences(truth, best["serving"], best["candidate"], groups, settings.draws, seed)
    p = (1 + int((drawn <= 0).sum())) / (1 + len(drawn))
    low, high = (float(np.quantile(drawn, share)) for share in (0.025, 0.975)) if len(drawn) else (0.0, 0.0)
    figures = {side: _figures(scores, known, truth, best[side]) for side, scores in sides.items()}
    labels = _labels(truth, best["serving"], best["candidate"])
    checks = [
        _enough(len(truth), settings),
        _better(figures, p, settings),
        _no_label_lost(labels, settings),
        _speaks(figures, settings),
        _bounded(
            "calibration",
            "calibration error",
            figures,
            "calibration_error",
            settings.calibration_error,
            settings.calibration_more,
        ),
    ]
    if int((~known).sum()) >= settings.unknown_flows:
        checks.append(
            _bounded(
                "unknown",
                "flows of no label that get one",
                figures,
                "unknown_said",
                settings.unknown_said,
                settings.unknown_more,
            )
        )
    if costs is not None:
        for side, cost in zip(sides, costs, strict=True):
            figures[side] |= {"us_per_flow": round(cost.us_per_flow, 2), "size_kb": round(cost.size_kb, 1)}
        checks += _affordable(*costs, settings)
    if golden is not None:
        checks.append(_golden(golden, figures, settings))
    return Judgement(
        accepted=all(check.passed for check in checks),
        checks=tuple(checks),
        judged=len(truth),
        unknown=int((~known).sum()),
        clients=len(set(whose.tolist())),
        drawn="clients" if by_client else "flows",
        p=round(p, 5),
        gain=(round(low, 5), round(high, 5)),
        serving=figures["serving"],
        candidate=figures["candidate"],
        labels=labels,
    )


def differences(truth: Names, before: Names, after: Names, groups: Names, draws: int, seed: int) -> NDArray[np.float64]:
    """(draws,) gain in macro-F1 on groups drawn with replacement, the same ones for both models; empty without samples."""
    if not len(truth):
        return np.zeros(0)
    rng = np.random.default_rng(seed)
    _, place = np.unique(groups, return_inverse=True)
    count = int(place.max()) + 1
    names = np.unique(truth)
    found = []
    for begin in range(0, draws, AT_ONCE):
        size = min(AT_ONCE, draws - begin)
        times = rng.multinomial(count, np.full(count, 1 / count), size).astype(np.float32)
        found.append(
            _macro(truth, after, names, place, times, count) - _macro(truth, before, names, place, times, count)
        )
    return np.concatenate(found)


def _macro(
    truth: Names, said: Names, names: Names, place: NDArray[np.int64], times: NDArray[np.float32], count: int
) -> NDArray[np.float64]:
    """(draws,) macro-F1 over the labels that a draw holds; `times`: (draws, groups) how often each group was drawn."""
    wanted, given = truth[:, None] == names, said[:, None] == names
    totals = []
    for mask in (wanted & given, wanted, given):
        by_group = np.zeros((count, len(names)), np.float32)
        np.add.at(by_group, place, mask.astype(np.float32))
        totals.append((times @ by_group).astype(np.float64))
    right, actual, answered = totals
    f1 = 2 * right / np.maximum(actual + answered, 1)
    there = actual > 0
    macro: NDArray[np.float64] = (f1 * there).sum(axis=1) / np.maximum(there.sum(axis=1), 1)
    return macro


def f1_by_label(truth: Names, said: Names) -> dict[str, float]:
    """F1 of each label that occurs."""
    found = {}
    for name in np.unique(truth).tolist():
        wanted, given = truth == name, said == name
        found[name] = 2 * float((wanted & given).sum()) / float(wanted.sum() + given.sum())
    return found


def macro_f1(truth: Names, said: Names) -> float | None:
    """Over the labels that occur; None without samples."""
    found = f1_by_label(truth, said)
    return sum(found.values()) / len(found) if found else None


def calibration_error(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> float | None:
    """Expected calibration error over 10 bins of equal width; None without samples."""
    if not len(right):
        return None
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    parts = [
        abs(float(right[bins == each].mean()) - float(confidence[bins == each].mean())) * float((bins == each).mean())
        for each in np.unique(bins)
    ]
    return sum(parts)


def _figures(scores: Scores, known: NDArray[np.bool_], truth: Names, best: Names) -> dict[str, float | None]:
    said, right = scores.said, best == truth
    told, unknown = said[known], said[~known]
    return {
        "macro_f1": _rounded(macro_f1(truth, best)),
        "accuracy": _mean(right),
        "abstained": _mean(~told),
        "accuracy_said": _mean(right[told]),
        "said_right": _mean(right & told),
        "said_wrong": _mean(~right & told),
        "calibration_error": _rounded(calibration_error(scores.confidence[known], right)),
        "unknown_said": _mean(unknown),
    }


def _labels(truth: Names, before: Names, after: Names) -> dict[str, dict[str, float | None]]:
    first, second = f1_by_label(truth, before), f1_by_label(truth, after)
    return {
        name: {
            "flows": int((truth == name).sum()),
            "serving": round(first[name], 5),
            "candidate": round(second[name], 5),
        }
        for name in first
    }


def _enough(judged: int, settings: Settings) -> Check:
    return Check(
        "enough", judged >= settings.least, f"{judged} samples of labels judged; {settings.least} needed (gate.least)"
    )


def _better(figures: Mapping[str, Mapping[str, float | None]], p: float, settings: Settings) -> Check:
    before, after = figures["serving"]["macro_f1"], figures["candidate"]["macro_f1"]
    if before is None or after is None:
        return Check("better", False, "no sample of a label to compare on")
    return Check(
        "better",
        p <= settings.alpha,
        f"macro-F1 {100 * before:.1f} -> {100 * after:.1f}; not better with probability {p:.3f}, "
        f"{settings.alpha:g} allowed (gate.alpha)",
    )


def _no_label_lost(labels: Mapping[str, Mapping[str, float | None]], settings: Settings) -> Check:
    lost = {
        name: (told["serving"] or 0.0) - (told["candidate"] or 0.0)
        for name, told in labels.items()
        if (told["flows"] or 0) >= settings.label_flows
    }
    worst = max(lost, key=lambda name: lost[name], default=None)
    if worst is None:
        return Check("labels", True, f"no label has {settings.label_flows} judged samples (gate.label_flows)")
    return Check(
        "labels",
        lost[worst] <= settings.label_loss,
        f"{worst} loses most: {100 * lost[worst]:.1f} points of F1, {100 * settings.label_loss:g} allowed (gate.label_loss)",
    )


def _bounded(
    name: str,
    what: str,
    figures: Mapping[str, Mapping[str, float | None]],
    key: str,
    most: float,
    more: float,
) -> Check:
    before, after = figures["serving"][key], figures["candidate"][key]
    if before is None or after is None:
        return Check(name, True, f"{what}: no sample to tell")
    bound = max(most, before + more)
    return Check(
        name, after <= bound, f"{what}: {100 * before:.1f} % -> {100 * after:.1f} %, {100 * bound:.1f} % allowed"
    )


def _speaks(figures: Mapping[str, Mapping[str, float | None]], settings: Settings) -> Check:
    """A serving model that talks nonsense is no measure of how much should be said: a wrong answer costs as much as a right one gains."""
    check = _bounded(
        "abstention", "known flows unanswered", figures, "abstained", settings.abstained, settings.abstained_more
    )
    said = [[figures[side][key] or 0.0 for key in ("said_right", "said_wrong")] for side in ("serving", "candidate")]
    (right, wrong), (right_after, wrong_after) = said
    return Check(
        check.name,
        check.passed or right_after - wrong_after > right - wrong,
        f"{check.text}; answered rightly: {100 * right:.1f} % -> {100 * right_after:.1f} %, wrongly: {100 * wrong:.1f} % -> "
        f"{100 * wrong_after:.1f} %",
    )


def _affordable(before: Cost, after: Cost, settings: Settings) -> list[Check]:
    most = max(settings.latency_us, settings.latency_times * before.us_per_flow)
    return [
        Check(
            "latency",
            after.us_per_flow <= most,
            f"{before.us_per_flow:.1f} -> {after.us_per_flow:.1f} us a flow, {most:.1f} allowed",
        ),
        Check(
            "size",
            after.size_kb <= settings.size_kb,
            f"{before.size_kb:.1f} -> {after.size_kb:.1f} KB, {settings.size_kb:g} allowed (gate.size_kb)",
        ),
    ]


def _golden(golden: Golden, figures: dict[str, dict[str, float | None]], settings: Settings) -> Check:
    wanted = np.array(list(golden.wanted))
    for side, scores in (("serving", golden.serving), ("candidate", golden.candidate)):
        figures[side]["golden"] = _mean(scores.best == wanted)
    before, after = figures["serving"]["golden"], figures["candidate"]["golden"]
    if before is None or after is None:
        return Check("golden", False, "the file of golden samples has none that this model could be asked about")
    return Check(
        "golden",
        after >= before - settings.golden_loss,
        f"{len(wanted)} golden samples: {100 * before:.1f} % -> {100 * after:.1f} % right, "
        f"{100 * settings.golden_loss:g} points less allowed (gate.golden_loss)",
    )


def _mean(values: NDArray[np.bool_]) -> float | None:
    return round(float(values.mean()), 5) if len(values) else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 5)
