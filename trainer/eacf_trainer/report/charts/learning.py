"""Learning curves: loss and accuracy over the epochs, on what was trained on and on what was not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.ticker import MaxNLocator

from eacf_trainer.report.charts.chart import Chart, Table, legend
from eacf_trainer.report.svg import FIRST, SECOND, drawing, inline
from eacf_trainer.report.text import number, plural

FINAL = "final"
"""Key of the fit that made the bundle; the others are ``protocol/fold``."""
ROWS = 12
"""Epochs in the table behind a curve."""
KINDS = {"loss": "Loss", "accuracy": "Accuracy"}


def charts(history: Mapping[str, Sequence[Mapping[str, float]]], main: str | None) -> list[Chart]:
    """Loss and accuracy of the folds of protocol `main`, or of the final fit where there are no folds."""
    folds = [epochs for key, epochs in history.items() if key.startswith(f"{main}/") and epochs]
    taken = folds or [epochs for key, epochs in history.items() if key == FINAL and epochs]
    found = (_chart(kind, taken, bool(folds)) for kind in KINDS)
    return [chart for chart in found if chart is not None]


def _chart(kind: str, runs: Sequence[Sequence[Mapping[str, float]]], folds: bool) -> Chart | None:
    series = {
        name: lines
        for name, key in (("training", kind), ("validation", f"validation_{kind}"))
        if (lines := [[epoch[key] for epoch in run] for run in runs if all(key in epoch for epoch in run)])
    }
    if not series:
        return None
    means = {name: _mean(lines) for name, lines in series.items()}
    ends = ", ".join(f"{name} {number(mean[-1], 3)}" for name, mean in means.items())
    says = f"{KINDS[kind]} after {plural(len(means['training' if 'training' in means else 'validation']), 'epoch')}: {ends}."
    title = f"{KINDS[kind]} by epoch"
    with drawing(260) as (figure, axes):
        for (name, lines), colour, dash in zip(series.items(), (FIRST, SECOND), ("-", "--"), strict=False):
            for line in lines if len(lines) > 1 else ():
                axes.plot(range(1, len(line) + 1), line, color=colour, linewidth=0.9, alpha=0.3)
            mean = means[name]
            axes.plot(range(1, len(mean) + 1), mean, dash, color=colour, label=name)
        axes.set_xlabel("epoch")
        axes.set_ylim(bottom=0, top=1.02 if kind == "accuracy" else None)
        axes.grid(axis="y")
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        legend(axes, len(series))
        svg = inline(figure, kind, title, says)
    longest = max(len(mean) for mean in means.values())
    step = max(1, -(-longest // ROWS))
    shown = sorted({*range(0, longest, step), longest - 1})
    rows = [
        (str(epoch + 1), *(number(mean[epoch] if epoch < len(mean) else None, 3) for mean in means.values()))
        for epoch in shown
    ]
    note = f"Faint: each of {len(runs)} folds; strong: their mean." if folds and len(runs) > 1 else ""
    return Chart(kind, title, says, svg, Table(("epoch", *means), rows, words=0), note)


def _mean(lines: Sequence[Sequence[float]]) -> list[float]:
    """Over those that are still running."""
    longest = max(len(line) for line in lines)
    columns = ([line[epoch] for line in lines if epoch < len(line)] for epoch in range(longest))
    return [sum(column) / len(column) for column in columns]
