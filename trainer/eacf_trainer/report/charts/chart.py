"""What a chart is to the page, and the two forms that most of them have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from eacf_trainer.report.svg import FIRST, FOURTH, GROUND, INK, PALE, SECOND, SMALL, SOFT, THIRD, drawing, inline
from eacf_trainer.report.text import shortened

NAME_LENGTH = 22
"""Characters of a name beside a chart."""
ROW = 24
"""Height of a row of dots."""
BELOW = 0.3
"""Of a row, by which ticks stand below its dots."""
EDGE = 0.03
"""Of the range, left free on both sides."""


@dataclass(frozen=True)
class Table:
    """Rows of texts; the first `words` columns are words, the others numbers."""

    head: tuple[str, ...]
    rows: Sequence[Sequence[str]]
    words: int = 1


@dataclass(frozen=True)
class Chart:
    """A picture, what it says in a sentence, and its numbers."""

    name: str
    """Part of ids in the page."""
    title: str
    says: str
    svg: Markup
    table: Table
    note: str = ""
    """How to read it."""


@dataclass(frozen=True)
class Series:
    """One value for each row, and how it is drawn: never by colour alone."""

    name: str
    values: Sequence[float | None]
    colour: str = FIRST
    marker: str = "o"
    hollow: bool = False
    size: float = 7.5


STYLES = ((FIRST, "o"), (SECOND, "s"), (THIRD, "^"), (FOURTH, "D"))
"""Colours and markers in the order of use."""


def dots(
    name: str,
    title: str,
    says: str,
    rows: Sequence[str],
    series: Sequence[Series],
    *,
    beside: Sequence[str] = (),
    beside_title: str = "",
    ranges: Sequence[tuple[float, float] | None] = (),
    small: Mapping[int, Sequence[float]] | None = None,
    span: tuple[float, float] | None = None,
    told: int | None = None,
    row: float = ROW,
) -> Markup:
    """Shares as dots, a row each, first row on top.

    `beside`: a text at the right end of each row; `ranges`: a bar behind a row's dots; `small`: values of single seeds, by row;
    `told`: the series whose values are written out.
    """
    low, high = span or (0.0, 1.0)
    with drawing(64 + row * len(rows)) as (figure, axes):
        for place, edges in enumerate(ranges):
            if edges is not None:
                axes.plot(edges, (place, place), color=PALE, linewidth=5, alpha=0.35, zorder=1)
        for place, values in (small or {}).items():
            axes.plot(values, [place + BELOW] * len(values), "|", color=SOFT, markersize=6, markeredgewidth=1.3)
        for each in series:
            shown = [(value, place) for place, value in enumerate(each.values) if value is not None]
            if shown:
                axes.plot(
                    *zip(*shown, strict=True),
                    each.marker,
                    color=each.colour,
                    markersize=each.size,
                    markerfacecolor=GROUND if each.hollow else each.colour,
                    markeredgecolor=each.colour,
                    markeredgewidth=1.6,
                    label=each.name,
                    zorder=3,
                )
        if told is not None:
            for place, value in enumerate(series[told].values):
                if value is not None:
                    axes.annotate(
                        f"{100 * value:.1f}",
                        (value, place),
                        (0, 8),
                        textcoords="offset points",
                        ha="center",
                        va="bottom",
                        fontsize=SMALL,
                        color=INK,
                    )
        axes.set_yticks(range(len(rows)), [shortened(row, NAME_LENGTH) for row in rows])
        axes.tick_params(axis="y", labelcolor=INK)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.set_xlim(low - EDGE * (high - low), high + EDGE * (high - low))
        hundredths(axes, "x")
        axes.grid(axis="x")
        axes.spines["left"].set_visible(False)
        if beside:
            right = axes.secondary_yaxis("right")
            right.set_yticks(range(len(rows)), beside)
            right.spines["right"].set_visible(False)
            axes.annotate(
                beside_title,
                (1, 1),
                (4, 6),
                xycoords="axes fraction",
                textcoords="offset points",
                fontsize=SMALL,
                color=SOFT,
                ha="left",
            )
        if len(series) > 1:
            legend(axes, len(series))
        return inline(figure, name, title, says)


def legend(axes: Axes, columns: int, handles: Sequence[Artist] | None = None) -> None:
    """Above the axes, flush left."""
    axes.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=columns,
        borderaxespad=0.2,
        borderpad=0.2,
        columnspacing=1.8,
        handletextpad=0.4,
    )


def hundredths(axes: Axes, which: str) -> None:
    """Shares on that axis are told in percent, at few places."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f}"))


def rising(low: float, step: float = 0.1) -> float:
    """Where an axis of shares begins: a step below `low`, at most."""
    return max(0.0, int((low - 1e-9) / step) * step - step / 2)
