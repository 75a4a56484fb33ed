"""A metric as it is declared: what it is called, what it means, and where in a report its value stands.

A value that a report does not have (None) is left out, so that nobody takes it for a 0. A label's values that are known
beforehand are there from the start with 0, so that the first count is seen as a rise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Literal, NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

Report = Mapping[str, Any]
"""What a process says of itself: ``Engine.status`` and the like."""


class Point(NamedTuple):
    """One value of a metric."""

    labels: tuple[str, ...]
    value: float


class Distribution(NamedTuple):
    """The value of a histogram."""

    buckets: Sequence[tuple[str, float]]
    """Upper bound and how many are not above it; the last bound is ``+Inf``."""
    total: float


Read = Callable[[Report], Iterable[Point]]


@dataclass(frozen=True, slots=True)
class Family:
    """One metric of a process."""

    name: str
    """As it is asked for: a counter's ends in ``_total``."""
    unit: str
    """For people: what is counted, or the unit of measurement; empty where it is a yes or no."""
    text: str
    """What it means; a sentence or two."""
    read: Read | Callable[[Report], Distribution]
    labels: tuple[str, ...] = ()
    kind: Literal["counter", "gauge", "histogram"] = "gauge"

    def metric(self, report: Report) -> Metric:
        """It and its values, as the client library takes them."""
        found = self.read(report)
        if isinstance(found, Distribution):
            return HistogramMetricFamily(self.name, self.text, buckets=list(found.buckets), sum_value=found.total)
        make = CounterMetricFamily if self.kind == "counter" else GaugeMetricFamily
        made = make(self.name.removesuffix("_total"), self.text, labels=self.labels)
        for labels, value in found:
            made.add_metric(labels, value)
        return made


class FamilyCollector(Collector):
    """Turns a report into metrics each time that Prometheus asks."""

    def __init__(self, families: Sequence[Family], report: Callable[[], Report]) -> None:
        self._families = families
        self._report = report

    def collect(self) -> Iterable[Metric]:
        report = self._report()
        return [family.metric(report) for family in self._families]


def counter(name: str, unit: str, text: str, *path: str) -> Family:
    """A count that stands at that path."""
    return Family(f"{name}_total", unit, text, one(*path), kind="counter")


def gauge(name: str, unit: str, text: str, *path: str) -> Family:
    """A value that stands at that path."""
    return Family(name, unit, text, one(*path))


def counters(name: str, unit: str, text: str, label: str, *path: str, known: Iterable[str] = ()) -> Family:
    """Counts by name, in an object at that path. `known`: names that are there in any case."""
    return Family(f"{name}_total", unit, text, by_name(*path, known=known), (label,), "counter")


def histogram(name: str, unit: str, text: str, read: Callable[[Report], Distribution]) -> Family:
    """A distribution."""
    return Family(name, unit, text, read, kind="histogram")


def latency(name: str, text: str) -> Family:
    """The histogram that :meth:`eacf.engine.account.Latency.report` tells as ``latency_ms.ever``."""

    def read(report: Report) -> Distribution:
        ever = report["latency_ms"]["ever"]
        buckets = [(f"{bound:.6g}", count) for bound, count in ever["buckets_s"]]
        return Distribution([*buckets, ("+Inf", ever["flows"])], ever["sum_s"])

    return histogram(name, "seconds", text, read)


def sizes(name: str, unit: str, text: str, key: str) -> Family:
    """A histogram of counts in buckets that are not summed up, with the sum of all values as ``flows``."""

    def read(report: Report) -> Distribution:
        counts = report[key]["sizes"]
        buckets = list(zip(counts, accumulate(counts.values()), strict=True))
        return Distribution([*buckets, ("+Inf", buckets[-1][1])], report[key]["flows"])

    return histogram(name, unit, text, read)


def at(report: Report, *path: str) -> Any:
    """The value at a path of keys; None where there is none."""
    value: Any = report
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def one(*path: str) -> Read:
    """The value at a path."""

    def read(report: Report) -> Iterator[Point]:
        value = at(report, *path)
        if value is not None:
            yield Point((), value)

    return read


def by_name(*path: str, known: Iterable[str] = ()) -> Read:
    """The values of an object at a path, by name; nothing where there is no object."""
    nothing = dict.fromkeys(known, 0)

    def read(report: Report) -> Iterator[Point]:
        values = at(report, *path)
        if values is not None:
            for name, value in (nothing | dict(values)).items():
                yield Point((name,), value)

    return read


def picked(*path: str, names: Mapping[str, str | None]) -> Read:
    """Some values of an object of counts at a path, under other names (None: without a label); 0 where one is missing, nothing
    where there is no object."""

    def read(report: Report) -> Iterator[Point]:
        values = at(report, *path)
        if values is not None:
            for key, name in names.items():
                yield Point(() if name is None else (name,), values.get(key, 0))

    return read


def inner(*path: str, key: str) -> Read:
    """One value of each object in an object at a path, by the object's name."""

    def read(report: Report) -> Iterator[Point]:
        for name, of in (at(report, *path) or {}).items():
            if of[key] is not None:
                yield Point((name,), of[key])

    return read


def info(*paths: str) -> Read:
    """Texts, at dotted paths, as labels of a constant 1; nothing where the first is missing."""

    def read(report: Report) -> Iterator[Point]:
        values = [at(report, *path.split(".")) for path in paths]
        if values[0] is not None:
            yield Point(tuple("" if value is None else str(value) for value in values), 1)

    return read
