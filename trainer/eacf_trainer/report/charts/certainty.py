"""What a confidence is worth: the reliability diagram, and coverage against accuracy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eacf_trainer.report.charts.chart import Chart, Table, hundredths, legend, rising
from eacf_trainer.report.charts.splits import NAMES
from eacf_trainer.report.svg import FIRST, FOURTH, GROUND, INK, PALE, SECOND, SMALL, SOFT, THIRD, drawing, inline
from eacf_trainer.report.text import count, percent, points

LINES: dict[str, tuple[str, Any]] = {
    "grouped": (FIRST, "-"),
    "environment": (THIRD, "--"),
    "time": (FOURTH, "-."),
    "random": (SECOND, ":"),
    "client": (INK, (0, (5, 1))),
}
WANTED = 0.95
RIGHT = 0.7
"""Coverage from which a text stands left of its place."""
FEW = 0.04
"""Part of the flows below which the curve is left out: the first few answers jump between 0 and 100 %."""


def reliability(figures: Mapping[str, Any]) -> Chart | None:
    """Ten bins of equally many flows: what was claimed, and what was right."""
    bins = figures.get("bins")
    if not bins:
        return None
    error = figures["calibration_error"]
    lean = sum(each["flows"] * (each["confidence"] - each["accuracy"]) for each in bins) / sum(
        each["flows"] for each in bins
    )
    way = "too sure" if lean > 0.01 else "too modest" if lean < -0.01 else "neither too sure nor too modest"
    says = f"Confidence and accuracy are {points(error)} points apart on average; on the whole the model is {way}."
    title = "Reliability: confidence against accuracy"
    confidence, accuracy = [each["confidence"] for each in bins], [each["accuracy"] for each in bins]
    with drawing(330) as (figure, axes):
        axes.plot((0, 1), (0, 1), color=PALE, linewidth=1.2, linestyle=(0, (4, 3)))
        axes.annotate(
            "as sure as right",
            (0.97, 0.97),
            (-4, 4),
            textcoords="offset points",
            ha="right",
            va="bottom",
            fontsize=SMALL,
            color=SOFT,
        )
        axes.vlines(confidence, confidence, accuracy, color=PALE, linewidth=5, alpha=0.35)
        axes.plot(confidence, accuracy, "-", color=FIRST, linewidth=1.4)
        axes.plot(confidence, accuracy, "o", color=FIRST, markersize=7, markeredgecolor=GROUND, markeredgewidth=1)
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.06), xlabel="confidence, %", ylabel="right, %")
        for which in "xy":
            hundredths(axes, which)
        axes.grid()
        svg = inline(figure, "reliability", title, says)
    table = Table(
        ("bin", "flows", "confidence", "right"),
        [
            (str(place), count(each["flows"]), percent(each["confidence"]), percent(each["accuracy"]))
            for place, each in enumerate(bins, 1)
        ],
    )
    return Chart("reliability", title, says, svg, table, "Ten bins of equally many flows, all folds together.")


def coverage(protocols: Mapping[str, Mapping[str, Any]]) -> Chart | None:
    """How right the answers are when only the surest flows get one, under each protocol."""
    curves = {name: each["coverage"] for name, each in protocols.items() if each.get("coverage", {}).get("curve")}
    if not curves:
        return None
    main = next(iter(curves))
    at = curves[main]["at_95"]
    says = (
        f"{NAMES[main].capitalize()}: with 95 % of the answers right, {percent(at)} of the flows are answered; "
        f"with 90 %, {percent(curves[main]['at_90'])}."
    )
    title = "Coverage against accuracy"
    shown = {name: _settled(each["curve"]) for name, each in curves.items()}
    low = rising(min(point["accuracy"] for each in shown.values() for point in each), 0.2)
    with drawing(330) as (figure, axes):
        axes.axhline(WANTED, color=PALE, linewidth=1.2, linestyle=(0, (4, 3)))
        for name in reversed(shown):
            colour, dash = LINES[name]
            axes.plot(
                [point["coverage"] for point in shown[name]],
                [point["accuracy"] for point in shown[name]],
                color=colour,
                linestyle=dash,
                linewidth=2.4 if name == main else 1.6,
                label=NAMES[name],
            )
        if at is not None and at >= FEW:
            axes.plot(at, WANTED, "o", color=FIRST, markersize=8, markeredgecolor=GROUND, markeredgewidth=1.5, zorder=5)
            axes.plot((at, at), (low, WANTED), color=PALE, linewidth=1.2, linestyle=(0, (4, 3)))
            axes.annotate(
                f"{100 * at:.0f} % answered",
                (at, low),
                (6 if at < RIGHT else -6, 7),
                textcoords="offset points",
                ha="left" if at < RIGHT else "right",
                fontsize=SMALL,
                color=INK,
            )
        axes.set(xlim=(-0.02, 1.02), ylim=(low, 1.01), xlabel="flows answered, %", ylabel="answers right, %")
        for which in "xy":
            hundredths(axes, which)
        axes.grid()
        handles, names = axes.get_legend_handles_labels()
        if len(names) > 1:
            legend(axes, len(names), handles[::-1])
        svg = inline(figure, "coverage", title, says)
    table = Table(
        ("split", "99 % right", "95 % right", "90 % right", "all answered: right"),
        [
            (
                NAMES[name],
                percent(each["at_99"]),
                percent(each["at_95"]),
                percent(each["at_90"]),
                percent(each["curve"][-1]["accuracy"]),
            )
            for name, each in curves.items()
        ],
    )
    note = "Flows are answered in the order of confidence, all folds together; the first few percent are left out of the picture."
    return Chart("coverage", title, says, svg, table, note)


def _settled(curve: list[dict[str, float]]) -> list[dict[str, float]]:
    return [point for point in curve if point["coverage"] >= FEW] or curve
