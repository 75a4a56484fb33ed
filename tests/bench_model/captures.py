"""One table, the same folds for all: the default network, trees on its values, the paper's network and baselines on the paper's input."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, f1_score

from eacf.labels import LabelRules
from eacf_trainer import bank, figures, flows, judge, plan, recipe
from eacf_trainer.cells import Answer
from eacf_trainer.crew import Crew
from eacf_trainer.dataset import Dataset, Options, Pool, build
from eacf_trainer.estimators import PAPERS
from eacf_trainer.plan import CaptureSet
from eacf_trainer.protocol import Bench, Judgement
from eacf_trainer.recipe import Labels, Recipe

TREES = ("extra-trees", "random-forest", "gradient-boosting")
TESTBED = CaptureSet(
    tuple(range(200, 220)), 100, ("lan", "fibre", "dsl", "mobile", "lossy"), tuple(f"bench-{n}" for n in range(20))
)
Figures = dict[str, object]


@dataclass
class Table:
    """Rows of the table, printed as they come."""

    rows: dict[str, dict[str, list[float]]]

    def add(self, name: str, told: Mapping[str, float]) -> None:
        """The figures of one seed."""
        for key, value in told.items():
            self.rows.setdefault(name, {}).setdefault(key, []).append(value)

    def mean(self, name: str, key: str) -> float:
        return statistics.fmean(self.rows[name][key])

    def plain(self) -> dict[str, dict[str, list[float]]]:
        """Mean and standard deviation over seeds, rounded."""
        return {
            name: {key: [round(statistics.fmean(v), 4), round(statistics.pstdev(v), 4)] for key, v in told.items()}
            for name, told in self.rows.items()
        }


@dataclass(frozen=True)
class Place:
    """Where trainings of one dataset are done and kept."""

    dataset: Dataset
    rules: LabelRules
    work: Path
    crew: Crew

    def bench(self, used: Recipe, labels: Labels | None = None) -> Bench:
        """A recipe on this dataset."""
        used = replace(used, labels=labels or used.labels)
        found = flows.read(self.dataset, self.rules, used.labels)
        return Bench(found, used, str(bank.prepare(self.dataset, found, used.input, self.work)))

    def run(self, judgements: Sequence[Judgement]) -> dict[str, Answer]:
        """All their cells."""

        def tell(done: int, total: int, name: str) -> None:
            if done % 10 == 0 or done == total:
                print(f"  {done} of {total} trainings {name}", file=sys.stderr, flush=True)

        return self.crew.run([cell for each in judgements for cell in each.cells], tell)


def apps(captures: Path, work: Path, seeds: int, jobs: int) -> Figures:
    """Real captures."""
    dataset = build([captures], work / "apps", Options(), runner=Pool(jobs), manifest=captures / "manifest.csv")
    place = Place(dataset, LabelRules.named("domains"), work, Crew(work / "cells", jobs))
    made = compared(place, Labels(least_flows=40, least_captures=3), "apps", seeds, environment=True)
    made |= eighteen(place, seeds)
    made |= openset(place, seeds)
    return made


def testbed(work: Path, seeds: int, jobs: int) -> Figures:
    """Made-up applications, each capture of sites of its own. Reported; no bound."""
    captures = plan.generate(TESTBED, work / "testbed-captures", lambda text: None)
    dataset = build([captures], work / "testbed", Options(), runner=Pool(jobs))
    place = Place(dataset, LabelRules.named("testbed"), work, Crew(work / "cells", jobs))
    return compared(place, Labels(least_flows=40, least_captures=3), "testbed", seeds, environment=False)


def compared(place: Place, labels: Labels, name: str, seeds: int, *, environment: bool) -> Figures:
    """The default against all others. F1 in points."""
    table = Table({})
    default = place.bench(replace(recipe.load("default"), compare=(), early=()), labels)
    paper = place.bench(recipe.load("paper-light"), labels)
    numbers = range(seeds)
    jobs = {"default": [default.judgement("grouped", seed, calibrated=True) for seed in numbers]}
    jobs |= {
        line: [default.estimator(line).judgement("grouped", seed, name=line, calibrated=False) for seed in numbers]
        for line in TREES
    }
    jobs |= {
        f"paper's input: {line}": [
            paper.estimator(line).judgement("grouped", seed, name=f"paper-{line}", calibrated=False) for seed in numbers
        ]
        for line in PAPERS
    }
    jobs["paper's CNN"] = [paper.judgement("grouped", seed, name="paper-cnn", calibrated=False) for seed in numbers]
    if environment:
        jobs["default, by environment"] = [
            default.judgement("environment", seed, name="environment", calibrated=False) for seed in numbers
        ]
        jobs["extra-trees, by environment"] = [
            default.estimator("extra-trees").judgement("environment", seed, name="trees-environment", calibrated=False)
            for seed in numbers
        ]
    answers = place.run([each for several in jobs.values() for each in several])
    bench_of = {"paper's CNN": paper}
    for row, several in jobs.items():
        for each in several:
            table.add(row, scores(bench_of.get(row, default), each, answers))
    for each in jobs["default"]:
        table.add("default", calibrated(default, each, answers))
    best_tree = max(TREES, key=lambda line: table.mean(line, "macro_f1"))
    best_baseline = max((f"paper's input: {line}" for line in PAPERS), key=lambda line: table.mean(line, "macro_f1"))
    own = table.mean("default", "macro_f1")
    made: Figures = {
        f"{name}.labels": len(default.flows.labels),
        f"{name}.flows": int(default.flows.known.sum()),
        f"{name}.default_f1": round(own, 2),
        f"{name}.paper_cnn_f1": round(table.mean("paper's CNN", "macro_f1"), 2),
        f"{name}.default_over_paper_cnn": round(own - table.mean("paper's CNN", "macro_f1"), 2),
        f"{name}.default_over_best_baseline": round(own - table.mean(best_baseline, "macro_f1"), 2),
        f"{name}.default_over_trees": round(own - table.mean(best_tree, "macro_f1"), 2),
        f"{name}.best_tree": best_tree,
        f"{name}.best_baseline": best_baseline,
        f"{name}.table": table.plain(),
    }
    if environment:
        made[f"{name}.environment_f1"] = round(table.mean("default, by environment", "macro_f1"), 2)
        made["int8_loss"] = round(table.mean("default", "float_macro_f1") - own, 2)
        made["calibration_error"] = round(table.mean("default", "calibration_error"), 4)
        made["openset.worst_known_refused"] = round(max(table.rows["default"]["most_refused"]), 4)
        made["openset.least_known_refused"] = round(min(table.rows["default"]["least_refused"]), 4)
    return made


def scores(bench: Bench, judgement: Judgement, answers: Mapping[str, Answer]) -> dict[str, float]:
    """Of known flows pooled out of fold; points."""
    wanted, best, floats = pooled(bench, judgement, answers)
    return {
        "macro_f1": 100 * f1_score(wanted, best, average="macro"),
        "accuracy": 100 * accuracy_score(wanted, best),
        "float_macro_f1": 100 * f1_score(wanted, floats, average="macro"),
    }


def pooled(
    bench: Bench, judgement: Judgement, answers: Mapping[str, Answer]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Output, and best label of the served and of the float model, of each known flow."""
    parts = []
    for fold in judgement.folds:
        answer, known = answers[fold.outer.name], fold.outer.wanted < bench.outputs
        tables = (answer.logits, answer.floats)
        parts.append((fold.outer.wanted[known], *(each[known, : bench.outputs].argmax(axis=1) for each in tables)))
    wanted, best, floats = (np.concatenate(column) for column in zip(*parts, strict=True))
    return wanted, best, floats


def calibrated(bench: Bench, judgement: Judgement, answers: Mapping[str, Answer]) -> dict[str, float]:
    """What was chosen inside training, on the outer folds."""
    told = judge.predictions(bench, judgement, answers)
    refused = []
    for fold in judgement.folds:
        known = fold.outer.wanted < bench.outputs
        found = judge.calibration(bench, fold, answers)
        refused.append(float(found.refused(answers[fold.outer.name].logits)[known].mean()))
    return {
        "calibration_error": figures.reliability(told)["calibration_error"],
        "coverage_at_95": figures.coverage_at(told.only(told.known)) or 0.0,
        "most_refused": max(refused),
        "least_refused": min(refused),
    }


def eighteen(place: Place, seeds: int) -> Figures:
    """Coverage at 95 % of right answers, on more labels."""
    bench = place.bench(replace(recipe.load("default"), compare=(), early=()), Labels(least_flows=30, least_captures=3))
    jobs = [bench.judgement("grouped", seed, name="eighteen", calibrated=False) for seed in range(seeds)]
    trees = [
        bench.estimator("extra-trees").judgement("grouped", seed, name="eighteen-trees", calibrated=False)
        for seed in range(seeds)
    ]
    answers = place.run([*jobs, *trees])
    covered: dict[str, list[float]] = {}
    for name, several in (("default", jobs), ("extra-trees", trees)):
        for each in several:
            told = judge.predictions(bench, each, answers)
            covered.setdefault(name, []).append(figures.coverage_at(told.only(told.known)) or 0.0)
    return {
        "apps.coverage_labels": len(bench.flows.labels),
        "apps.coverage_at_95": round(statistics.fmean(covered["default"]), 4),
        "apps.coverage_at_95_by_seed": [round(each, 4) for each in covered["default"]],
        "apps.trees_coverage_at_95": round(statistics.fmean(covered["extra-trees"]), 4),
    }


def openset(place: Place, seeds: int) -> Figures:
    """Every label held out once, some at a time; knowns and unknowns of all folds pooled."""
    bench = place.bench(replace(recipe.load("default"), compare=(), early=()), Labels(least_flows=40, least_captures=3))
    jobs = [bench.hidden("grouped", seed) for seed in range(seeds)]
    answers = place.run(jobs)
    told = [figures.openset(judge.predictions(bench, each, answers)) for each in jobs]
    without = [figures.openset(lighter(bench, each, answers)) for each in jobs]
    return {
        "openset.refused_at_5": round(statistics.fmean(each["refused_at_5"] for each in told), 4),
        "openset.auroc": round(statistics.fmean(each["auroc"] for each in told), 4),
        "openset.refused_at_5_by_seed": [each["refused_at_5"] for each in told],
        "openset.auroc_by_seed": [each["auroc"] for each in told],
        "openset.without_largest_refused_at_5": round(statistics.fmean(each["refused_at_5"] for each in without), 4),
        "openset.without_largest_auroc": round(statistics.fmean(each["auroc"] for each in without), 4),
    }


def lighter(bench: Bench, judgement: Judgement, answers: Mapping[str, Answer]) -> judge.Predictions:
    """Predictions without the capture that holds most of one label: how much of the figure is that capture's."""
    counts: dict[tuple[int, int], int] = {}
    for label, capture in zip(bench.flows.wanted.tolist(), bench.flows.copies.tolist(), strict=True):
        if label >= 0 and bench.flows.labels[label] != "xbcs.net":
            counts[label, capture] = counts.get((label, capture), 0) + 1
    (label, capture), _ = max(counts.items(), key=lambda item: item[1])
    told = judge.predictions(bench, judgement, answers)
    rows = judge.rows(bench, np.flatnonzero((bench.flows.wanted == label) & (bench.flows.copies == capture)))
    return told.only(~np.isin(told.row, rows))
