"""All stages in a row: captures, samples, and each recipe's bundle and run folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from eacf.bundle import Bundle
from eacf_trainer import bundles, captures, recipes, testbed
from eacf_trainer.config import Plan, Recipe


@dataclass(frozen=True)
class Homes:
    """Where results go, by recipe: the folder of the bundle and the run folder."""

    bundles: dict[str, Path]
    runs: dict[str, Path]

    @classmethod
    def in_repository(cls, root: Path) -> Homes:
        """The shipped bundle and its run are part of the repository; the paper's is 12 MB and only built."""
        return cls(
            {"default": root / "plugin" / "eacf" / "bundles", "paper": root / "build" / "bundles"},
            {"default": root / "trainer" / "runs" / "default", "paper": root / "build" / "runs" / "paper"},
        )

    @classmethod
    def under(cls, folder: Path) -> Homes:
        """Everything in one folder."""
        names = ("default", "paper")
        return cls(dict.fromkeys(names, folder), {name: folder / "runs" / name for name in names})


def run(
    names: Sequence[str],
    light: bool,
    work: Path,
    homes: Homes,
    say: Callable[[str], None],
    plan: Plan = recipes.PLAN,
) -> Iterator[Bundle]:
    """Build the recipes named, one after the other."""
    made = captures.prepare(plan, work / "captures", say)
    read = captures.read(made, testbed.LABEL_MAP)
    data = bundles.Data(
        training=read["training"],
        validation=read["validation"],
        evaluation=read["evaluation"],
        label_map=testbed.LABEL_MAP,
        summary=captures.summary(plan, read),
    )
    for name in names:
        yield bundles.build(recipe(name, light), data, homes.bundles[name], homes.runs[name], say)


def recipe(name: str, light: bool) -> Recipe:
    """The recipe called `name`; `light` shortens the paper's, the default's is short as it is."""
    if name == "paper":
        return recipes.PAPER_LIGHTER if light else recipes.PAPER
    return recipes.DEFAULT
