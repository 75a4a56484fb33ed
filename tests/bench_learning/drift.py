"""Weeks of traffic that changes, seen by the loop, a frozen model, the paper's blind replacement, and an oracle.

All begin with the shipped `testbed` bundle. A week brings 2,000 samples; the loop takes a turn at every 1,000th, as `eacf-train watch` does
by default, with its own choice of samples, its own training and its own gate. At the end of each week all are asked about fresh traffic of
that week, of deployments that nobody learnt from. The oracle is the same recipe trained from nothing on all of the week.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import traffic
from numpy.typing import NDArray
from traffic import Traffic

from eacf_trainer.processes import end_with_parent, single_threaded

WEEKS = 8
TEACH, JUDGE = 2000, 1000
TURN = 1000
POISONED = range(3, 6)
POISON_SHARE = 0.05
VARIANTS = ("frozen", "loop", "poisoned", "paper", "paper-poisoned", "oracle")


def measure(work: Path, seeds: int) -> dict[str, Any]:
    """Figures ``drift.*``; a plot in `work`."""
    for seed in range(1, seeds + 1):
        for number in range(WEEKS):
            print(f"  seed {seed}, week {number}: traffic", file=sys.stderr, flush=True)
            traffic.week(work / "traffic", seed, number, "teach", TEACH)
            traffic.week(work / "traffic", seed, number, "judge", JUDGE)
    told: dict[str, list[Told]] = {variant: [] for variant in VARIANTS}
    for seed in range(1, seeds + 1):  # processes of their own: TensorFlow keeps what it has built
        with ProcessPoolExecutor(2, get_context("spawn"), initializer=begin) as pool:
            for variant, found in zip(
                VARIANTS, pool.map(run, [(str(work), seed, each) for each in VARIANTS]), strict=True
            ):
                scores = " ".join(f"{score:.1f}" for score in found.scores)
                taken = f"{found.accepted} of {found.turns} accepted"
                print(f"  seed {seed}, {variant}: {scores} ({taken})", file=sys.stderr, flush=True)
                told[variant].append(found)
    weeks = {variant: np.array([each.scores for each in several]) for variant, several in told.items()}
    plot(work / "drift.svg", weeks)
    mean = {variant: scores.mean(axis=0) for variant, scores in weeks.items()}
    behind = weeks["oracle"][:, -1] - weeks["loop"][:, -1]
    lost = mean["loop"][POISONED.start :] - mean["poisoned"][POISONED.start :]
    return {
        "drift.behind_oracle": float(behind.mean()),
        "drift.behind_oracle_sd": float(behind.std()),
        "drift.poisoned_loss": float(lost[-1]),
        "drift.poisoned_loss_worst_week": float(lost.max()),
        "drift.poisoned_loss_mean": float(lost.mean()),
        **{f"drift.{variant}_last_week": float(mean[variant][-1]) for variant in VARIANTS},
        "drift.loop_accepted": sum(each.accepted for each in told["loop"]),
        "drift.loop_turns": sum(each.turns for each in told["loop"]),
        "drift.weeks": {variant: [round(float(each), 2) for each in scores] for variant, scores in mean.items()},
    }


def begin() -> None:
    """In each process: it ends with this one, and leaves the other core alone."""
    single_threaded()
    end_with_parent()


@dataclass(frozen=True)
class Told:
    """What came of one run."""

    scores: list[float]
    """Macro-F1 of each week, in points."""
    turns: int
    accepted: int


def run(job: tuple[str, int, str]) -> Told:
    """One seed of one variant, in a process of its own."""
    from eacf_trainer.processes import hushed

    work, seed, variant = job
    with hushed():
        return Weeks(Path(work), seed, variant).run()


class Weeks:
    """One run."""

    def __init__(self, work: Path, seed: int, variant: str) -> None:
        from eacf_trainer.watch import parent
        from eacf_trainer.watch.settings import Settings, Update

        self._traffic = work / "traffic"
        self._home = work / "drift" / f"{seed}-{variant}"
        shutil.rmtree(self._home, ignore_errors=True)
        self._seed, self._variant = seed, variant
        self._settings = Settings()
        self._from_nothing = Update(start="scratch", doubt=False, stale=False, absent=0)
        self._blindly = Update(bins="keep", doubt=False, stale=False, absent=0)
        self._first = parent.read(parent.find("testbed"))
        self._serving = self._first
        self._accepted = self._learnt = 0
        self._turns = self._taken = 0

    def run(self) -> Told:
        return Told(list(self._weeks()), self._turns, self._taken)

    def _weeks(self) -> Iterator[float]:
        there: Traffic | None = None
        for number in range(WEEKS):
            came = traffic.week(self._traffic, self._seed, number, "teach", TEACH)
            if self._variant.endswith("poisoned") and number in POISONED:
                came = poisoned(came, np.random.default_rng((self._seed, number)))
            if self._variant == "oracle":
                self._serving = self._trained(self._first, came, np.arange(len(came)), self._from_nothing)
            elif self._variant != "frozen":
                for begin in range(0, TEACH, TURN):
                    part = came.part(begin, begin + TURN)
                    there = part if there is None or self._variant.startswith("paper") else joined(there, part)
                    self._turn(there)
            yield self._score(traffic.week(self._traffic, self._seed, number, "judge", JUDGE))
        shutil.rmtree(self._home, ignore_errors=True)

    def _turn(self, there: Traffic) -> None:
        """What the watcher does at the 1,000th new sample."""
        from eacf_trainer.watch import gate, parts, turn, update

        self._turns += 1
        if self._variant.startswith("paper"):  # all new samples train, then they are gone; nothing is asked
            self._serving = self._trained(self._serving, there, np.arange(len(there)), self._blindly)
            self._taken += 1
            return
        ids = np.arange(1, len(there) + 1)
        chosen = parts.parts(ids, there.labels, self._settings.samples, accepted=self._accepted, learnt=self._learnt)
        made = update.train(
            self._serving,
            replace(samples(there, chosen.learnt), new=chosen.new),
            samples(there, chosen.calibrating),
            self._settings.update,
            self._seed,
        )
        judged = samples(there, chosen.judged)
        verdict = gate.judge(
            turn.scores(self._serving, judged.table),
            turn.scores(made, judged.table),
            judged.wanted,
            judged.clients,
            self._settings.gate,
        )
        if verdict.accepted:
            self._serving = self._saved(made)
            self._accepted, self._learnt = int(ids[-1]), int(ids[chosen.learnt].max())
            self._taken += 1

    def _trained(self, parent: Any, there: Traffic, places: NDArray[np.int64], how: Any) -> Any:
        from eacf_trainer.watch import update

        nothing = samples(there, places[:0])
        return self._saved(update.train(parent, samples(there, places), nothing, how, self._seed))

    def _saved(self, made: Any) -> Any:
        """The candidate as the parent of the next one, by the run folder that the watcher would write."""
        from eacf_trainer.watch import parent, turn

        folder = self._home / f"run-{self._turns}-{self._taken}"
        shutil.rmtree(folder, ignore_errors=True)
        turn.save(made, folder, lineage={"parent": None, "window": None, "gate": None})
        return parent.read(folder)

    def _score(self, fresh: Traffic) -> float:
        from eacf_trainer.watch import gate, turn

        known = np.array([label is not None for label in fresh.labels])
        truth = np.array([label or "" for label in fresh.labels])
        best = turn.scores(self._serving, fresh.table).best
        return 100 * (gate.macro_f1(truth[known], best[known]) or 0.0)


def samples(there: Traffic, places: NDArray[np.int64]) -> Any:
    """As `update` takes them."""
    from eacf_trainer.watch import update

    wanted = [there.labels[place] for place in places.tolist()]
    return update.Samples(there.table[places], wanted, [f"client {each}" for each in there.clients[places].tolist()])


def poisoned(came: Traffic, rng: np.random.Generator) -> Traffic:
    """A share of the samples that have a label get another one, drawn from all."""
    names = sorted({label for label in came.labels if label is not None})
    labels = [
        str(rng.choice([name for name in names if name != label]))
        if label is not None and rng.random() < POISON_SHARE
        else label
        for label in came.labels
    ]
    return Traffic(came.table, tuple(labels), came.clients)


def joined(first: Traffic, second: Traffic) -> Traffic:
    return Traffic(
        np.concatenate([first.table, second.table]),
        first.labels + second.labels,
        np.concatenate([first.clients, second.clients]),
    )


def plot(path: Path, weeks: dict[str, NDArray[np.float64]]) -> None:
    """Mean and spread over seeds, by week."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "drift"
    from matplotlib import pyplot

    named = {
        "oracle": "trained on all of the week",
        "loop": "the loop",
        "poisoned": "the loop, 5 % wrong names in weeks 3 to 5",
        "paper": "the paper's blind replacement",
        "paper-poisoned": "the same, 5 % wrong names in weeks 3 to 5",
        "frozen": "frozen",
    }
    figure, axes = pyplot.subplots(figsize=(8, 4.5), layout="constrained")
    for variant, name in named.items():
        scores = weeks[variant]
        mean, spread = scores.mean(axis=0), scores.std(axis=0)
        (line,) = axes.plot(range(WEEKS), mean, marker="o", label=name, linestyle="--" if variant == "oracle" else "-")
        axes.fill_between(range(WEEKS), mean - spread, mean + spread, color=line.get_color(), alpha=0.15)
    axes.set(xlabel="simulated week", ylabel="macro-F1 on fresh traffic of the week, %", ylim=(0, 100))
    axes.grid(alpha=0.3)
    axes.legend(loc="lower left")
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
