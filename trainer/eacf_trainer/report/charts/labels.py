"""Precision, recall and F1 of each label, and which labels are taken for which."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eacf_trainer.report.charts.chart import Chart, Series, Table, dots
from eacf_trainer.report.svg import FIRST, SECOND, THIRD
from eacf_trainer.report.text import count, percent, plural, points

MIXED = 8
"""Pairs of labels that are told as mixed up most."""


def chart(figures: Mapping[str, Any]) -> Chart | None:
    """Dots for each label, best F1 first. Labels without flows here are left out."""
    labels = {label: each for label, each in figures.get("labels", {}).items() if each["flows"]}
    if not labels:
        return None
    order = sorted(labels, key=lambda label: (-labels[label]["f1"], label))
    best, last = order[0], order[-1]
    says = f"F1 from {points(labels[best]['f1'])} ({best}) to {points(labels[last]['f1'])} ({last})."
    if len(order) == 1:
        says = f"F1 {points(labels[best]['f1'])} ({best})."
    title = "Precision, recall and F1 of each label"
    values = {key: [labels[label][key] for label in order] for key in ("precision", "recall", "f1")}
    svg = dots(
        "labels",
        title,
        says,
        order,
        [
            Series("precision", values["precision"], SECOND, ">", hollow=True, size=6.5),
            Series("recall", values["recall"], THIRD, "<", hollow=True, size=6.5),
            Series("F1", values["f1"], FIRST, "o"),
        ],
        ranges=[(min(pair), max(pair)) for pair in zip(values["precision"], values["recall"], strict=True)],
        beside=[count(labels[label]["flows"]) for label in order],
        beside_title="flows",
    )
    rows = [
        (
            label,
            count(labels[label]["flows"]),
            points(labels[label]["precision"]),
            points(labels[label]["recall"]),
            points(labels[label]["f1"]),
            percent(labels[label].get("coverage")),
            percent(labels[label].get("precision_said")),
        )
        for label in order
    ]
    head = ("label", "flows", "precision", "recall", "F1", "answered", "right of what is said")
    return Chart("labels", title, says, svg, Table(head, rows))


@dataclass(frozen=True)
class Cell:
    """Of the confusion matrix."""

    share: float
    """Of the wanted label's flows."""
    text: str
    """In percent; empty where there are none."""
    told: str
    """In words."""
    right: bool


@dataclass(frozen=True)
class Confusion:
    """Rows of cells, wanted label by best label."""

    labels: tuple[str, ...]
    flows: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    mixed: Table
    """The pairs that are mixed up most."""


def confusion(figures: Mapping[str, Any]) -> Confusion | None:
    """The matrix, each row as shares of its label's flows."""
    labels, counts = tuple(figures.get("labels", {})), figures.get("confusion")
    if not labels or not counts:
        return None
    sums = [sum(row) for row in counts]
    rows = tuple(
        tuple(_cell(labels, one, other, counts[one][other], sums[one]) for other in range(len(labels)))
        for one in range(len(labels))
    )
    pairs = sorted(
        (
            (counts[one][other], one, other)
            for one in range(len(labels))
            for other in range(len(labels))
            if one != other
        ),
        key=lambda pair: (-pair[0], pair[1:]),
    )
    mixed = [
        (labels[one], labels[other], count(flows), percent(flows / sums[one], 0))
        for flows, one, other in pairs[:MIXED]
        if flows
    ]
    head = ("flows of", "taken for", "flows", "of all of its")
    return Confusion(labels, tuple(count(each) for each in sums), rows, Table(head, mixed, words=2))


def _cell(labels: tuple[str, ...], one: int, other: int, flows: int, of: int) -> Cell:
    share = flows / of if of else 0.0
    verb = "named rightly" if one == other else f"taken for {labels[other]}"
    told = f"{labels[one]}: {count(flows)} of {plural(of, 'flow')} {verb} ({percent(share, 0)})"
    text = "" if not flows else "<1" if share < 0.005 else f"{100 * share:.0f}"
    return Cell(round(share, 3), text, told, one == other)
