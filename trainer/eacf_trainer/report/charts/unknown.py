"""Flows of applications that the model was never shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eacf_trainer.report.charts.chart import Chart, Series, Table, dots, hundredths
from eacf_trainer.report.svg import FIRST, GROUND, INK, PALE, SECOND, SMALL, drawing, inline
from eacf_trainer.report.text import count, number, percent

BEARABLE = 0.05


def roc(openset: Mapping[str, Any] | None) -> Chart | None:
    """Unknown flows refused against known flows refused."""
    if not openset or openset.get("auroc") is None or not openset.get("roc"):
        return None
    points, at = openset["roc"], openset["refused_at_5"]
    says = (
        f"Where 5 % of the known flows are refused, {percent(at)} of the unknown ones are; area under the curve "
        f"{number(openset['auroc'], 3)}."
    )
    title = "Unknown flows refused against known flows refused"
    with drawing(330) as (figure, axes):
        axes.plot((0, 1), (0, 1), color=PALE, linewidth=1.2, linestyle=(0, (4, 3)))
        axes.axvline(BEARABLE, color=PALE, linewidth=1.2, linestyle=(0, (4, 3)))
        axes.plot(*zip(*points, strict=True), color=FIRST, linewidth=2.4)
        axes.plot(BEARABLE, at, "o", color=FIRST, markersize=8, markeredgecolor=GROUND, markeredgewidth=1.5, zorder=5)
        axes.annotate(
            f"{100 * at:.0f} % at 5 %",
            (BEARABLE, at),
            (10, -2),
            textcoords="offset points",
            va="top",
            fontsize=SMALL,
            color=INK,
        )
        axes.set(
            xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel="known flows refused, %", ylabel="unknown flows refused, %"
        )
        for which in "xy":
            hundredths(axes, which)
        axes.grid()
        svg = inline(figure, "roc", title, says)
    rows = [(percent(share), percent(_at(points, share))) for share in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)]
    table = Table(("known flows refused, at most", "unknown flows refused"), rows, words=0)
    note = f"{count(openset['known'])} known and {count(openset['unknown'])} unknown flows, all folds together."
    return Chart("roc", title, says, svg, table, note)


def _at(points: list[list[float]], share: float) -> float:
    return max(unknown for known, unknown in points if known <= share)


def held_out(openset: Mapping[str, Any] | None) -> Chart | None:
    """Each label that was held out: how much of it is refused, and how much is given some label all the same."""
    labels = (openset or {}).get("labels")
    if not labels:
        return None
    order = sorted(labels, key=lambda label: (-labels[label]["refused_at_5"], label))
    says = (
        f"Known best as unknown: {order[0]} ({percent(labels[order[0]]['refused_at_5'])} refused); least: {order[-1]} "
        f"({percent(labels[order[-1]]['refused_at_5'])})."
    )
    title = "Each label held out of training once"
    svg = dots(
        "heldout",
        title,
        says,
        order,
        [
            Series("refused", [labels[label]["refused_at_5"] for label in order], FIRST, "o"),
            Series("given a label", [labels[label].get("said") for label in order], SECOND, "s", hollow=True, size=6.5),
        ],
        beside=[count(labels[label]["flows"]) for label in order],
        beside_title="flows",
    )
    rows = [
        (
            label,
            count(labels[label]["flows"]),
            percent(labels[label]["refused_at_5"]),
            percent(labels[label].get("said")),
        )
        for label in order
    ]
    note = "Refused: at the threshold that refuses 5 % of the known flows. Given a label: by the thresholds that were chosen in training."
    return Chart(
        "heldout", title, says, svg, Table(("label held out", "flows", "refused", "given a label"), rows), note
    )
