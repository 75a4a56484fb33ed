"""The figures as SVG and PNG. Hollow stars and dashed lines are what the paper's text states; nothing is read off its drawings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from eacf_trainer.experiments import inputs, paper
from eacf_trainer.experiments.controls import LABELS, ORIGINAL
from eacf_trainer.experiments.plan import CNN, MODELS, MOST_FREQUENT, SPLITS
from eacf_trainer.experiments.results import Results, Score, Setup
from eacf_trainer.experiments.sections import CONTROL_NAMES, NAMES, seeds_of
from eacf_trainer.experiments.settings import Settings

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = {"cnn": "#0072b2", "dt": "#d55e00", "svm": "#009e73", "knn": "#cc79a7", "lr": "#e69f00", "nb": "#7f7f7f"}
SHADES = {"precision": "#9ecae1", "recall": "#4292c6", "F1": "#084594"}
INK = "#333333"
DOTS = 150
SHORT = {
    (inputs.BOTH, ORIGINAL): "original",
    (inputs.BOTH, "random"): "random bytes",
    (inputs.BOTH, "nonces"): "random but for nonces",
    (inputs.BOTH, "shuffled"): "other flows' ciphertext",
    (inputs.BOTH, "constant"): "all bytes the same",
    (inputs.BOTH, "sizes"): "chunk sizes alone",
    (inputs.PAYLOAD, "constant"): "number of bytes alone",
    (inputs.BOTH, LABELS): "training labels shuffled",
}
"""Of the controls, for the axis."""
TITLES = {"random": "random split, as in the paper", "grouped": "grouped by capture"}


def fig3(results: Results, settings: Settings) -> Figure:
    """Two panels, one a split; lines with the spread over seeds."""
    figure, panels = _panels(9.6, 4.2)
    for split, axes in zip(SPLITS, panels, strict=True):
        for model in MODELS:
            _line(axes, results, settings.sizes, model, inputs.BOTH, split, NAMES[model], COLOURS[model])
        _chance(axes, results, settings, split)
        axes.set(xlabel="input size (bytes)", title=TITLES[split])
    for mark in paper.FIG3:
        if mark.below:
            panels[0].plot([0, mark.size], [mark.percent] * 2, "--", lw=1, color=COLOURS[mark.model])
            panels[0].text(
                0, mark.percent + 1, f"{NAMES[mark.model]} in the paper", fontsize=7, color=COLOURS[mark.model]
            )
        else:
            panels[0].plot(mark.size, mark.percent, "*", ms=13, mfc="none", mec=COLOURS[mark.model])
    panels[0].plot([], [], "*", ms=11, mfc="none", mec=INK, label="stated by the paper")
    panels[0].set_ylabel("accuracy (%)")
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=8, frameon=False, fontsize=8)
    return figure


def fig4(results: Results, settings: Settings) -> Figure:
    """Bars a label, one panel a split."""
    labels = results.flows.labels
    figure, panels = _panels(max(6.5, 0.62 * len(labels) + 1), 5.6, rows=2)
    places = np.arange(len(labels))
    for split, axes in zip(SPLITS, panels, strict=True):
        figures = results.per_label(Setup(CNN, inputs.BOTH, settings.main, split))
        for number, (name, colour) in enumerate(SHADES.items()):
            if figures:
                values = [figures[label][number] for label in labels]
                axes.bar(
                    places + (number - 1) * 0.27,
                    [value.mean * 100 for value in values],
                    0.25,
                    yerr=[(value.sd or 0) * 100 for value in values],
                    error_kw={"lw": 0.8, "ecolor": INK},
                    color=colour,
                    label=name,
                )
        axes.set(title=TITLES[split], ylabel="%", ylim=(0, 100))
        axes.set_xticks(places, labels, rotation=35, ha="right", fontsize=8)
        axes.grid(axis="x", visible=False)
    figure.legend(
        *panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False, fontsize=8
    )
    return figure


def fig5(results: Results, settings: Settings) -> Figure:
    """Two x axes as in the paper: bytes below, gaps above."""
    figure, panels = _panels(9.6, 4.4)
    for split, axes in zip(SPLITS, panels, strict=True):
        _line(axes, results, settings.sizes, CNN, inputs.BOTH, split, "both", COLOURS["cnn"])
        _line(axes, results, settings.sizes, CNN, inputs.PAYLOAD, split, "payload only", COLOURS["dt"])
        above = axes.twiny()
        above.spines[["right", "left", "bottom"]].set_visible(False)
        _line(above, results, settings.gap_counts, CNN, inputs.GAPS, split, "gaps only (upper axis)", COLOURS["svm"])
        above.set_xlabel("number of gaps")
        _chance(axes, results, settings, split)
        axes.set(xlabel="input size (bytes)")
        axes.set_title(TITLES[split], pad=10)
        if axes is panels[0]:
            (below, names), (upper, more) = (each.get_legend_handles_labels() for each in (axes, above))
            figure.legend(below + upper, names + more, loc="outside lower center", ncols=4, frameon=False, fontsize=8)
    panels[0].set_ylabel("accuracy (%)")
    return figure


def controls(results: Results, settings: Settings) -> Figure:
    """Macro-F1 of both controlled models, bars from the original down to chance."""
    figure, panels = _panels(10, 3.8)
    shown = [SHORT[kind, control] for kind, control, _ in CONTROL_NAMES]
    places = np.arange(len(shown))[::-1]
    for split, axes in zip(SPLITS, panels, strict=True):
        for number, model in enumerate(("cnn", "dt")):
            scores = [
                results.score(Setup(model, kind, settings.main, split, control), most=seeds_of(settings, model, split))
                for kind, control, _ in CONTROL_NAMES
            ]
            axes.barh(
                places + (0.2 - 0.4 * number),
                [score.macro_f1.mean * 100 if score else 0 for score in scores],
                0.36,
                xerr=[(score.macro_f1.sd or 0) * 100 if score else 0 for score in scores],
                error_kw={"lw": 0.8, "ecolor": INK},
                color=COLOURS[model],
                label=NAMES[model],
            )
        axes.set_yticks(places, shown, fontsize=8)
        axes.set(xlabel="macro-F1 (%)", title=TITLES[split], xlim=(0, None))
        axes.grid(axis="y", visible=False)
    figure.legend(
        *panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False, fontsize=8
    )
    return figure


def time(measured: dict[str, Any]) -> Figure:
    """Bars beside the paper's 291 µs."""
    figure, (axes,) = _panels(6.4, 2.6, columns=1)
    names = list(measured["us"])
    medians = [measured["us"][name][1] for name in names]
    bars = axes.barh(names[::-1], medians[::-1], color=COLOURS["cnn"])
    axes.bar_label(bars, [f" {value:.0f}" if value >= 10 else f" {value:.1f}" for value in medians[::-1]], fontsize=8)
    axes.axvline(paper.TIME_US, color=COLOURS["dt"], ls="--", lw=1)
    axes.text(paper.TIME_US, len(names) - 0.4, " 291 µs in the paper", color=COLOURS["dt"], fontsize=8, va="bottom")
    axes.set(xlabel="µs a flow, one thread", xlim=(0, max(*medians, paper.TIME_US) * 1.2), ylim=(-0.6, len(names)))
    axes.grid(axis="y", visible=False)
    return figure


def save(figure: Figure, stem: Path, footer: str) -> None:
    """Write ``stem.svg`` and ``stem.png``; the same figure gives the same SVG."""
    import matplotlib as mpl

    if footer:
        figure.suptitle(footer, x=0.01, ha="left", fontsize=7, color="#b00020", wrap=True)
    with mpl.rc_context({"svg.hashsalt": "eacf", "svg.fonttype": "none"}):
        figure.savefig(stem.with_suffix(".svg"), metadata={"Date": None})
    figure.savefig(stem.with_suffix(".png"), dpi=DOTS)


def _panels(width: float, height: float, *, rows: int = 1, columns: int = 2) -> tuple[Figure, list[Axes]]:
    from matplotlib.figure import Figure

    figure = Figure((width, height), layout="constrained")
    made = figure.subplots(rows, 1 if rows > 1 else columns, sharex=True, sharey=True, squeeze=False)
    panels: list[Axes] = list(made.ravel())
    for axes in panels:
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(color="#e5e5e5", lw=0.8)
        axes.set_axisbelow(True)
        axes.title.set_fontsize(10)
    return figure, panels


def _line(
    axes: Axes, results: Results, sizes: Sequence[int], model: str, kind: str, split: str, label: str, colour: str
) -> None:
    found = [(size, score) for size in sizes if (score := results.score(Setup(model, kind, size, split)))]
    if found:
        values: list[Score] = [score for _, score in found]
        axes.errorbar(
            [size for size, _ in found],
            [score.accuracy.mean * 100 for score in values],
            [(score.accuracy.sd or 0) * 100 for score in values],
            marker="o",
            ms=3.5,
            lw=1.6,
            capsize=2,
            color=colour,
            label=label,
        )


def _chance(axes: Axes, results: Results, settings: Settings, split: str) -> None:
    score = results.score(Setup(MOST_FREQUENT, inputs.BOTH, settings.main, split))
    axes.set_ylim(0, 100)
    if score:
        axes.axhline(score.accuracy.mean * 100, color=INK, ls=":", lw=1, label="most frequent label")
