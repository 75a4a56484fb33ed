"""The sentences at the top."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eacf_trainer.report.folder import Run
from eacf_trainer.report.text import SPACE, count, percent, points

FEW = 0.01
"""Coverage below which it is not worth a figure."""


def headline(run: Run) -> str:
    """How good it is."""
    if run.main is None:
        return "No split of this run has been judged yet, so there is nothing to say about how good it is."
    figures = run.protocols[run.main]
    if figures.get("accuracy") is None:
        return "No flow of the labels was judged, so there is nothing to say about how good it is."
    text = (
        f"Judged {_judged(run.main)}, the model names {percent(figures['accuracy'], 0)} of "
        f"{count(figures['flows'])} flows rightly, over {count(_labels(figures))} labels (macro-F1{SPACE}{points(figures['macro_f1'])})."
    )
    at = figures.get("coverage", {}).get("at_95")
    if at is not None and at < FEW:
        text += f" There is no confidence from which 95{SPACE}% of its answers are right on more than 1{SPACE}% of the flows."
    elif at is not None:
        text += f" If it answers only where it is surest, 95{SPACE}% of its answers are right on {percent(at, 0)} of the flows."
    return text


def _labels(figures: Mapping[str, Any]) -> int:
    return sum(label["flows"] > 0 for label in figures.get("labels", {}).values())


def _judged(name: str) -> str:
    return {
        "grouped": "on captures that it did not learn from",
        "environment": "on environments that it did not learn from",
        "client": "on clients that it did not learn from",
        "time": "on flows that are newer than those that it learned from",
        "random": "by a random split, which flatters",
    }[name]


def caveat(run: Run) -> str:
    """How a random split would flatter."""
    main, random = (run.protocols.get(name, {}).get("macro_f1") for name in (run.main or "", "random"))
    if run.main == "random":
        return "Only a random split was run. It puts near copies of a flow on both sides, so on another network expect less."
    if random is None or main is None:
        return ""
    if random <= main:
        return f"A random split gives {points(random)} macro-F1, no more."
    return (
        f"A random split of the same flows gives {points(random)} macro-F1, {points(random - main)} points more: near copies "
        "of a flow lie on both sides of it. It flatters, and is shown only for comparison."
    )
