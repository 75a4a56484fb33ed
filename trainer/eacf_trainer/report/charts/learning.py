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
        if (lines := [line for run in runs if (line := _line(run, key))])
    }
    if not series:
        return None
    means = {name: _mean(lines) for name, lines in series.items()}
    last = max(max(mean) for mean in means.values())
    ends = ", ".join(f"{name} {number(mean[max(mean)], 3)}" for name, mean in means.items())
    says = f"{KINDS[kind]} after {plural(last, 'epoch')}: {ends}."
    title = f"{KINDS[kind]} by epoch"
    with drawing(260) as (figure, axes):
        for (name, lines), colour, dash in zip(series.items(), (FIRST, SECOND), ("-", "--"), strict=False):
            for line in lines if len(lines) > 1 else ():
                axes.plot(list(line), list(line.values()), color=colour, linewidth=0.9, alpha=0.3)
            axes.plot(list(means[name]), list(means[name].values()), dash, color=colour, label=name)
        axes.set_xlabel("epoch")
        axes.set_ylim(bottom=0, top=1.02 if kind == "accuracy" else None)
        axes.grid(axis="y")
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        legend(axes, len(series))
        svg = inline(figure, kind, title, says)
    epochs = sorted({epoch for mean in means.values() for epoch in mean})
    step = -(-len(epochs) // ROWS)
    rows = [
        (str(epoch), *(number(mean.get(epoch), 3) for mean in means.values()))
        for place, epoch in enumerate(epochs)
        if place % step == 0 or epoch == last
    ]
    note = f"Faint: each of {len(runs)} folds; strong: their mean." if folds and len(runs) > 1 else ""
    return Chart(kind, title, says, svg, Table(("epoch", *means), rows, words=0), note)


def _line(run: Sequence[Mapping[str, float]], key: str) -> dict[int, float]:
    """Value by epoch, of those epochs at which it was looked at."""
    return {epoch: told[key] for epoch, told in enumerate(run, 1) if told.get(key) is not None}


def _mean(lines: Sequence[Mapping[int, float]]) -> dict[int, float]:
    """At each epoch, over those that tell of it."""
    epochs = sorted({epoch for line in lines for epoch in line})
    columns = {epoch: [line[epoch] for line in lines if epoch in line] for epoch in epochs}
    return {epoch: sum(column) / len(column) for epoch, column in columns.items()}
