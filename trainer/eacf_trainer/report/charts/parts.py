"""Figures of parts of the flows: by TLS version, and by how much of a flow was seen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eacf_trainer.report.charts.chart import STYLES, Chart, Series, Table, dots, hundredths, legend, rising
from eacf_trainer.report.svg import FIRST, INK, PALE, SECOND, SMALL, SOFT, drawing, inline
from eacf_trainer.report.text import count, percent, points, tls_version

EARLY = {"macro_f1": "macro-F1", "accuracy": "accuracy", "coverage_at_95": "answered at 95 % right"}


def versions(figures: Mapping[str, Any]) -> Chart | None:
    """By TLS version."""
    groups = (figures.get("groups") or {}).get("tls_version")
    if not groups:
        return None
    order = sorted(groups, key=lambda version: (-groups[version]["flows"], version))
    names = [tls_version(version) for version in order]
    says = "Right: " + ", ".join(
        f"{percent(groups[version]['accuracy'])} of {name}" for name, version in zip(names, order, strict=True)
    )
    title = "By TLS version"
    accuracy, macro = ([groups[version][key] for version in order] for key in ("accuracy", "macro_f1"))
    svg = dots(
        "versions",
        title,
        says,
        names,
        [Series("macro-F1", macro, FIRST, "o"), Series("accuracy", accuracy, SECOND, "s", hollow=True)],
        beside=[count(groups[version]["flows"]) for version in order],
        beside_title="flows",
        row=32,
    )
    rows = [
        (
            name,
            count(groups[version]["flows"]),
            count(groups[version]["labels"]),
            points(groups[version]["macro_f1"]),
            percent(groups[version]["accuracy"]),
            percent(groups[version]["coverage"]),
            percent(groups[version]["accuracy_said"]),
        )
        for name, version in zip(names, order, strict=True)
    ]
    head = ("version", "flows", "labels", "macro-F1", "accuracy", "answered", "right of what is said")
    note = "Versions hold different labels, so their macro-F1 are means over different things."
    return Chart("versions", title, says + ".", svg, Table(head, rows), note)


def early(figures: Mapping[str, Any] | None, chosen: int | None) -> Chart | None:
    """What the same recipe gives when it sees so many records; `chosen`: the ``records`` that the bundle needs."""
    steps = {int(key): each for key, each in (figures or {}).items() if key.isdigit()}
    order = sorted(steps)
    lines = {key: name for key, name in EARLY.items() if any(steps[step].get(key) is not None for step in order)}
    if not order or not lines:
        return None
    first = next(iter(lines))
    says = (
        f"{lines[first][0].upper()}{lines[first][1:]} "
        + ", ".join(f"{points(steps[step].get(first))} at {step} record{'s' * (step > 1)}" for step in order)
        + "."
    )
    title = "Early verdicts: the same recipe on fewer records"
    everything = [value for step in order for key in lines if (value := steps[step].get(key)) is not None]
    with drawing(300) as (figure, axes):
        if chosen in steps:
            place = order.index(chosen)
            axes.axvspan(place - 0.3, place + 0.3, color=PALE, alpha=0.16, linewidth=0)
            axes.annotate(
                "chosen",
                (place, 0),
                (0, 5),
                xycoords=("data", "axes fraction"),
                textcoords="offset points",
                ha="center",
                fontsize=SMALL,
                color=SOFT,
            )
        for (key, name), (colour, marker), dash in zip(lines.items(), STYLES, ("-", "--", ":"), strict=False):
            there = [(place, steps[step][key]) for place, step in enumerate(order) if steps[step].get(key) is not None]
            axes.plot(*zip(*there, strict=True), dash, color=colour, marker=marker, markersize=6, label=name)
            if key == first:
                for place, value in there:
                    axes.annotate(
                        points(value),
                        (place, value),
                        (0, -8),
                        textcoords="offset points",
                        ha="center",
                        va="top",
                        fontsize=SMALL,
                        color=INK,
                    )
        axes.set_xticks(range(len(order)), [str(step) for step in order])
        axes.set(xlim=(-0.4, len(order) - 0.6), ylim=(rising(min(everything)), min(1.04, max(everything) + 0.08)))
        axes.set_xlabel("records seen")
        hundredths(axes, "y")
        axes.grid(axis="y")
        legend(axes, len(lines))
        svg = inline(figure, "early", title, says)
    rows = [
        (f"{step}{' (chosen)' * (step == chosen)}", *(points(steps[step].get(key)) for key in lines)) for step in order
    ]
    note = "Fewer records: a verdict sooner, and less of the connection seen."
    return Chart("early", title, says, svg, Table(("records", *lines.values()), rows), note)
