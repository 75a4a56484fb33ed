"""A run: judge a recipe on a dataset, then train it on all of it, and leave a folder that holds everything.

Stages, each of which leaves files: flows (dataset.json, splits.json), cells (cells/), figures (predictions/, figures.json), the model
(weights.npz, features.json, ranges.npz, bundle). A run that was interrupted goes on: cells that are done are kept, the rest is quick.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from eacf.bundle import Bundle
from eacf.errors import SettingError
from eacf.labels import LabelRules
from eacf_trainer import bank, estimators, figures, flows, judge, runs
from eacf_trainer.cells import Answer, Cell
from eacf_trainer.crew import Crew, Tell
from eacf_trainer.dataset import Dataset
from eacf_trainer.predictions import Predictions
from eacf_trainer.protocol import Bench, Judgement, cuts
from eacf_trainer.recipe import Protocol, Recipe

REASONS: Mapping[Protocol, str] = {
    "grouped": "captures stay whole, and those that hold copies of one connection count as one: what the model gives on captures "
    "that it has not seen",
    "random": "flows at random, as in the paper: near copies of a flow stand on both sides, which flatters",
    "environment": "folders of captures stay whole, about one device and setup each: what the model gives elsewhere",
    "client": "clients stay whole: what the model gives for a machine that it has not seen",
    "time": "the newest flows judge, those before them teach: what the model gives tomorrow",
}
ONE_FOLD = "all flows of the labels fall into one fold, so that none could teach what another judges"


@dataclass(frozen=True)
class Asked:
    """What a run consists of."""

    dataset: Dataset
    rules: LabelRules
    recipe: Recipe
    out: Path
    seeds: tuple[int, ...] = (1,)
    """The first is the model's; splits are judged with each."""
    judged: bool = True
    """False: only the folds that calibrate are trained, and the model."""


def fit(asked: Asked, crew: Crew, tell: Tell, say: Callable[[str], None]) -> Bundle | None:
    """Run, or go on with, what is asked. The bundle; None where the recipe's model is an estimator, which cannot be exported."""
    check(asked.recipe)
    folder = runs.Folder.open(asked.out, asked.dataset, asked.rules, asked.recipe, asked.seeds)
    say("reading the dataset")
    found = flows.read(asked.dataset, asked.rules, asked.recipe.labels)
    recipe = with_cuts(asked.recipe, found)
    for label, reason in found.refused.items():
        folder.log(f"label {label} is not learnt: {reason}")
    card = flows.card(found, asked.dataset, asked.rules)
    folder.write("dataset", card)
    bench = Bench(found, recipe, str(bank.prepare(asked.dataset, found, recipe.input, folder.path / "work")))
    plan = Plan.of(bench, asked)
    for protocol in recipe.split.beside:
        if asked.judged and protocol not in plan.judged:
            folder.log(f"split {protocol} is left out: {ONE_FOLD}")
    folder.write("splits", plan.splits(bench))
    say(f"training {len(plan.cells)} models on {len(found.labels)} labels, {int(found.known.sum())} flows")
    answers = crew.run(plan.cells, tell)
    say("figures")
    told = Told(bench, plan, answers, folder)
    folder.write("history", told.history())
    if recipe.network.kind == "estimator":
        folder.write("figures", told.figures())
        return None
    say("training the model on everything")
    from eacf_trainer import export  # loads TensorFlow: not before the processes that have it, too, are done

    return export.model(folder, bench, told, asked, say)


def check(recipe: Recipe) -> None:
    """What one field cannot say of another. Raises SettingError."""
    if recipe.split.by in recipe.split.beside:
        raise SettingError(f"recipe {recipe.name}: split.beside holds {recipe.split.by!r}, which is split.by already")
    if not recipe.split.beside:
        raise SettingError(
            f"recipe {recipe.name}: split.beside is empty; a run shows two splits at least, name another"
        )
    if recipe.network.kind == "estimator" and not recipe.network.estimator:
        raise SettingError(
            f"recipe {recipe.name}: network.kind is 'estimator', and network.estimator does not say which"
        )
    lines = [*recipe.compare, *recipe.training.teacher.estimators]
    for line in [*lines, recipe.network.estimator] if recipe.network.kind == "estimator" else lines:
        estimators.check(line)


def with_cuts(recipe: Recipe, found: flows.Flows) -> Recipe:
    """`recipe` on those of its cuts that the dataset has. Raises SettingError if there is none."""
    there = tuple(cut for cut in recipe.input.cuts if cut in cuts(found))
    if not there:
        raise SettingError(
            f"recipe {recipe.name}: wants samples cut as {' or '.join(recipe.input.cuts)}, the dataset has "
            f"{' and '.join(cuts(found))}; build it with --cut both, or change input.cuts"
        )
    return replace(recipe, input=replace(recipe.input, cuts=there))


@dataclass(frozen=True)
class Plan:
    """All that is trained for a run, but for the model itself."""

    judged: Mapping[str, Sequence[Judgement]]
    """By name (a protocol, early/N, compare/LINE, hidden): one judgement for each seed."""

    @classmethod
    def of(cls, bench: Bench, asked: Asked) -> Plan:
        split, recipe = bench.recipe.split, bench.recipe
        judged: dict[str, list[Judgement]] = {}
        seeds = asked.seeds if asked.judged else asked.seeds[:1]
        beside = divided(bench, seeds)
        judged[split.by] = [bench.judgement(split.by, seed, calibrated=asked.judged) for seed in seeds]
        if not asked.judged:
            return cls(judged)
        for protocol in beside:
            judged[protocol] = [bench.judgement(protocol, seed, calibrated=False) for seed in seeds]
        if split.hidden_labels and split.by != "time" and bench.outputs > split.hidden_labels + 1:
            hidden = [bench.hidden(split.by, seed) for seed in seeds]
            if all(each.folds for each in hidden):
                judged["hidden"] = hidden
        for records in recipe.early:
            judged[f"early/{records}"] = [
                bench.early(records).judgement(split.by, seed, name=f"early/{records}", calibrated=False)
                for seed in seeds
            ]
        for line in recipe.compare:
            for protocol in (split.by, *beside):
                judged[f"compare/{line}/{protocol}"] = [
                    bench.estimator(line).judgement(protocol, seed, name=f"compare/{line}/{protocol}", calibrated=False)
                    for seed in seeds
                ]
        return cls(judged)

    @property
    def cells(self) -> list[Cell]:
        """Of all of them."""
        return [cell for judgements in self.judged.values() for each in judgements for cell in each.cells]

    def splits(self, bench: Bench) -> dict[str, Any]:
        """What splits.json says: each split of the first seed, group by group."""
        split = bench.recipe.split
        described: dict[str, Any] = {}
        for name in (split.by, *split.beside):
            if name not in self.judged:
                continue
            first = self.judged[name][0]
            fold = bench.folds(first.protocol, first.seed)
            described[name] = {
                "kind": name,
                "by": {"grouped": "capture", "random": "flow"}.get(name, name),
                "reason": REASONS[first.protocol],
                "folds": len(first.folds),
                "seeds": [each.seed for each in self.judged[name]],
                "groups": group_folds(bench, first.protocol, fold.tolist()),
            }
        return described


def divided(bench: Bench, seeds: Sequence[int]) -> list[Protocol]:
    """Those of ``split.beside`` that divide the dataset. Raises SettingError where there is none, or ``split.by`` does not."""
    split = bench.recipe.split
    able = [each for each in (split.by, *split.beside) if all(bench.divides(each, seed) for seed in seeds)]
    if split.by not in able:
        raise SettingError(
            f"recipe {bench.recipe.name}: split.by {split.by!r} does not divide this dataset: {ONE_FOLD}; add captures, or "
            "choose another split"
        )
    if len(able) < 2:
        raise SettingError(
            f"recipe {bench.recipe.name}: none of split.beside ({', '.join(split.beside)}) divides this dataset: {ONE_FOLD}; "
            "add 'random'"
        )
    return able[1:]


def group_folds(bench: Bench, protocol: Protocol, fold: Sequence[int]) -> dict[str, int]:
    """Fold of each capture, client, environment or connection: enough to make the split again."""
    found = bench.flows
    names: Sequence[str]
    if protocol == "client":
        names = found.clients
    elif protocol in ("grouped", "environment"):
        names = found.captures
    else:
        names = [str(number) for number in found.connection.tolist()]
    return dict(sorted(zip(names, fold, strict=True)))


class Told:
    """What the answers of a plan say."""

    def __init__(self, bench: Bench, plan: Plan, answers: Mapping[str, Answer], folder: runs.Folder) -> None:
        self.bench, self.plan, self.answers = bench, plan, answers
        own = plan.judged[bench.recipe.split.by]
        self.predictions = {
            name: [
                judge.predictions(bench, each, answers, calibrating if name == "hidden" else None)
                for each, calibrating in zip(judgements, own, strict=True)
            ]
            for name, judgements in plan.judged.items()
        }
        for name, several in self.predictions.items():
            if "/" not in name:
                folder.keep(name if name != "hidden" else "unknown", several[0])

    def history(self) -> dict[str, list[dict[str, float]]]:
        """Losses and accuracies of each fold's model, by epoch."""
        split = self.bench.recipe.split
        return {
            f"{name}/{fold.number}": curve(self.answers[fold.outer.name])
            for name in (split.by, *split.beside)
            if name in self.plan.judged
            for fold in self.plan.judged[name][0].folds
        }

    def figures(self) -> dict[str, Any]:
        """All of figures.json but what only the model itself can tell."""
        split = self.bench.recipe.split
        shown = [name for name in (split.by, *split.beside) if name in self.predictions]
        made: dict[str, Any] = {name: figures.of(self.predictions[name][0], self.columns(name)) for name in shown}
        made["seeds"] = {name: figures.spread([brief(each) for each in self.predictions[name]]) for name in shown}
        early = {
            name.split("/")[1]: brief(several[0])
            for name, several in self.predictions.items()
            if name.startswith("early/")
        }
        if early:
            made["early"] = early
        compared: dict[str, dict[str, Any]] = {}
        for name, several in self.predictions.items():
            if name.startswith("compare/"):
                line, _, protocol = name.removeprefix("compare/").rpartition("/")
                compared.setdefault(line, {})[protocol] = figures.spread([brief(each) for each in several])
        if compared:
            made["compare"] = compared
        if "hidden" in self.predictions:
            first = self.predictions["hidden"][0]
            made["openset"] = figures.openset(first, self.held_out(first))
        return made

    def places(self, predictions: Predictions) -> list[int]:
        """The connection of each prediction."""
        rows = judge.rows(self.bench, np.arange(len(self.bench.flows))).tolist()
        place = {row: number for number, row in enumerate(rows)}
        return [place[row] for row in predictions.row.tolist()]

    def held_out(self, predictions: Predictions) -> list[str | None]:
        """The label of each flow, also of those that the model did not know."""
        return [self.bench.flows.names[place] for place in self.places(predictions)]

    def columns(self, name: str) -> dict[str, list[object]]:
        """The values that figures are told by, for each prediction."""
        found, places = self.bench.flows, self.places(self.predictions[name][0])
        versions = [found.tls_versions[each] for each in places]
        return {
            "tls_version": ["unknown" if each is None else f"{each:#06x}" for each in versions],
            "capture": [found.captures[each] for each in places],
        }


def brief(predictions: Predictions) -> dict[str, float]:
    """The figures that are told of everything, each once."""
    closed = figures.closed(predictions)
    return {
        "accuracy": closed["accuracy"],
        "macro_f1": closed["macro_f1"],
        "coverage_at_95": figures.coverage_at(predictions) or 0.0,
        "calibration_error": figures.reliability(predictions)["calibration_error"] or 0.0,
    }


def curve(answer: Answer) -> list[dict[str, float]]:
    """An epoch's loss, and its accuracies where they were looked at."""
    points = []
    for loss, (shown, asked) in zip(answer.losses.tolist(), answer.accuracies.tolist(), strict=True):
        point = {"loss": loss}
        if not np.isnan(shown):
            point |= {"accuracy": round(shown, 4), "validation_accuracy": round(asked, 4)}
        points.append(point)
    return points
