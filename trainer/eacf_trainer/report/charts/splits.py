"""Splits side by side: the same recipe under each, since one number alone would flatter or frighten."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eacf_trainer.report.charts.chart import Chart, Series, Table, dots, rising
from eacf_trainer.report.svg import FIRST, SECOND
from eacf_trainer.report.text import count, percent, points

NAMES = {
    "grouped": "grouped",
    "environment": "by environment",
    "client": "by client",
    "time": "by time",
    "random": "random",
}
REASONS = {
    "grouped": "Captures stay whole: no flow is judged by a model that learned from another flow of its capture.",
    "environment": "Whole environments (about one device and setup each) are kept apart. The nearest there is here to a network that was "
    "never seen.",
    "client": "Clients stay whole: what it gives for a machine that it has not seen.",
    "time": "Trained on the past, judged on what came after.",
    "random": "Flows are dealt at random, so near copies of a flow (same machine, same minute) lie on both sides. It flatters. It is "
    "here because most published figures are made like this.",
}


def chart(protocols: Mapping[str, Mapping[str, Any]], seeds: Mapping[str, Any]) -> Chart | None:
    """Macro-F1 and accuracy under each protocol, with the interval over captures and the seeds."""
    shown = {name: each for name, each in protocols.items() if each.get("macro_f1") is not None}
    if not shown:
        return None
    ranges = [_interval(each) for each in shown.values()]
    small = {place: values for place, name in enumerate(shown) if (values := _values(seeds, name))}
    everything = [each[key] for each in shown.values() for key in ("macro_f1", "accuracy")]
    everything += [edge for each in ranges if each for edge in each] + [one for each in small.values() for one in each]
    says = "Macro-F1 " + ", ".join(f"{NAMES[name]} {points(each['macro_f1'])}" for name, each in shown.items()) + "."
    title = "The same recipe under each split"
    notes = ["Dots: the first seed."]
    if small:
        notes.append("Ticks: macro-F1 of each seed.")
    if any(ranges):
        notes.append("Bars: where macro-F1 lies in 95 % of resamples of whole captures.")
    return Chart(
        "splits",
        title,
        says,
        dots(
            "splits",
            title,
            says,
            [NAMES[name] for name in shown],
            [
                Series("macro-F1", [each["macro_f1"] for each in shown.values()], FIRST, "o"),
                Series("accuracy", [each["accuracy"] for each in shown.values()], SECOND, "s", hollow=True),
            ],
            ranges=ranges,
            small=small,
            span=(rising(min(everything)), 1.0),
            row=38,
            told=0,
        ),
        Table(
            ("split", "flows", "macro-F1", "95 % of resamples", "accuracy"),
            [
                (
                    NAMES[name],
                    count(each["flows"]),
                    points(each["macro_f1"]),
                    f"{points(edges[0])} to {points(edges[1])}" if edges else points(None),
                    percent(each["accuracy"]),
                )
                for (name, each), edges in zip(shown.items(), ranges, strict=True)
            ],
        ),
        " ".join(notes),
    )


def _interval(figures: Mapping[str, Any]) -> tuple[float, float] | None:
    edges = (figures.get("interval") or {}).get("macro_f1")
    return (edges[0], edges[1]) if edges else None


def _values(seeds: Mapping[str, Any], name: str) -> list[float]:
    values: list[float] = seeds.get(name, {}).get("macro_f1", {}).get("values", [])
    return values if len(values) > 1 else []
