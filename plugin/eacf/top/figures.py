"""Rows of the tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from eacf.reports import Report, at, count, kind_of, name_of, number, text, total
from eacf.status import Party
from eacf.top.watch import Sight, Watch

NEAR = 0.8
"""A queue, or what else has a bound, that is as full as that is near it."""
BAD, WORRY, CALM = "bold red", "yellow", ""
"""Styles: something is lost or wrong now; something was, or may be soon; neither."""


class Cell(NamedTuple):
    """What stands in a column."""

    said: str
    style: str = CALM


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table; numbers, and so set to the right, but for the first and the last."""

    title: str
    width: int
    from_width: int = 0
    """Columns of the terminal from which on it is shown."""
    is_text: bool = False


TITLES = {"worker": "workers", "zeek": "zeek", "enforce": "agents", "relay": "relays", "": "others"}
COLUMNS: Mapping[str, tuple[Column, ...]] = {
    "worker": (
        Column("", 13, is_text=True),
        Column("flows/s", 8),
        Column("queue", 6),
        Column("p50 ms", 8),
        Column("p99 ms", 8),
        Column("lost", 8),
        Column("labels", 7),
        Column("right", 6),
        Column("CPU", 5),
        Column("MB", 6),
        Column("answered", 9, 92),
        Column("  serves", 20, 112, is_text=True),
    ),
    "zeek": (
        Column("", 17, is_text=True),
        Column("flows/s", 8),
        Column("labels", 7),
        Column("timeout", 8),
        Column("no worker", 10),
        Column("shed", 8),
        Column("pending", 8),
        Column("acts/s", 8),
        Column("held", 8, 92),
        Column("workers", 8, 100),
    ),
    "enforce": (
        Column("", 13, is_text=True),
        Column("rules", 8),
        Column("full", 6),
        Column("acts/s", 8),
        Column("refused", 8),
        Column("p50 ms", 8),
        Column("p99 ms", 8),
        Column("CPU", 5),
        Column("MB", 6),
        Column("  mode", 9, is_text=True),
    ),
    "relay": (
        Column("", 13, is_text=True),
        Column("clients", 8),
        Column("out/s", 9),
        Column("in/s", 9),
        Column("cut", 8),
        Column("dropped", 8),
        Column("refused", 8),
        Column("CPU", 5),
        Column("MB", 6),
    ),
    "": (Column("", 13, is_text=True), Column("kind", 18, is_text=True), Column("version", 18, is_text=True)),
}
LABEL_COLUMNS = (
    Column("", 32, is_text=True),
    Column("flows/s", 9),
    Column("flows", 11),
    Column("share", 7),
    Column("right", 7),
    Column("of named", 10),
)


def cells(party: Party, sight: Sight) -> list[Cell]:
    """A row of the party's table, a cell for each column."""
    match party.kind:
        case "worker":
            return _worker(sight)
        case "zeek":
            return _zeek(sight)
        case "enforce":
            return _agent(sight)
        case "relay":
            return _relay(sight)
    report = sight.report
    return [Cell(name_of(report)), Cell(kind_of(report)), Cell(text(report.get("version")))]


def shown_name(party: Party, sight: Sight | None) -> str:
    """A Zeek process by its name in the cluster, where it has one; everybody else by its id."""
    cluster_node = sight.report.get("cluster_node") if sight is not None and party.kind == "zeek" else None
    return text(cluster_node if cluster_node else party.name)


def _worker(sight: Sight) -> list[Cell]:
    report = sight.report
    truth = report.get("truth")
    bundle = f"{text(at(report, 'bundle', 'name'))} {text(at(report, 'bundle', 'version'))}"
    return [
        Cell(name_of(report)),
        Cell(rate(sight.rate("flows"))),
        filling(at(report, "queue", "flows"), at(report, "queue", "limit_flows")),
        Cell(_plain(at(report, "latency_ms", "p50"))),
        Cell(_plain(at(report, "latency_ms", "p99"))),
        lost(sight, "dropped"),
        Cell(share(_labelled(sight), "verdicts", sight)),
        Cell(percent(at(truth, "accuracy"))),
        Cell(percent(sight.rate("cpu"))),
        Cell(megabytes(report)),
        Cell(percent(at(truth, "coverage"))),
        Cell(f"  {bundle}"),
    ]


def _labelled(sight: Sight) -> dict[str, float | None]:
    """Verdicts with a label: in the window, and since the start."""
    counts = sight.past[-1].counts
    both: dict[str, float | None] = {}
    for name, of in (("window", sight.rise), ("ever", counts.get)):
        whole, *others = (of(each) for each in ("verdicts", "abstained", "refused"))
        known = [each for each in others if each is not None]
        both[name] = None if whole is None or len(known) < len(others) else max(0.0, whole - sum(known))
    return both


def share(part: Mapping[str, float | None], whole: str, sight: Sight) -> str:
    """What part is of the whole in the window; since the start, where the window has none."""
    for some, of in ((part["window"], sight.rise(whole)), (part["ever"], sight.past[-1].counts.get(whole))):
        if some is not None and of:
            return percent(min(1.0, some / of))
    return "-"


def _zeek(sight: Sight) -> list[Cell]:
    report = sight.report
    workers = report.get("workers")
    labelled = {"window": sight.rise("labelled"), "ever": sight.past[-1].counts.get("labelled")}
    return [
        Cell(name_of(report)),
        Cell(rate(sight.rate("flows"))),
        Cell(share(labelled, "flows", sight)),
        lost(sight, "timed_out"),
        lost(sight, "no_worker"),
        lost(sight, "shed"),
        Cell(short(report.get("pending"))),
        Cell(rate(sight.rate("acts"))),
        Cell(short(report.get("held"))),
        Cell(short(len(workers)) if isinstance(workers, list) else "-"),
    ]


def _agent(sight: Sight) -> list[Cell]:
    report = sight.report
    there = total(report.get("rules"))
    return [
        Cell(name_of(report)),
        Cell(short(there)),
        filling(there, at(report, "bounds", "rules")),
        Cell(rate(sight.rate("acts"))),
        lost(sight, "refused"),
        Cell(_plain(at(report, "latency_ms", "p50"))),
        Cell(_plain(at(report, "latency_ms", "p99"))),
        Cell(percent(sight.rate("cpu"))),
        Cell(megabytes(report)),
        Cell(f"  {text(report.get('mode'))}"),
    ]


def _relay(sight: Sight) -> list[Cell]:
    report = sight.report
    return [
        Cell(name_of(report)),
        Cell(short(report.get("connections"))),
        Cell(rate(sight.rate("out"))),
        Cell(rate(sight.rate("in"))),
        lost(sight, "cut"),
        lost(sight, "dropped"),
        lost(sight, "refused"),
        Cell(percent(sight.rate("cpu"))),
        Cell(megabytes(report)),
    ]


def lost(sight: Sight, name: str) -> Cell:
    """A count of what should not be: as it is, and in another colour if there is any, or if it grows."""
    ever, rise = sight.past[-1].counts.get(name), sight.rise(name)
    return Cell(short(ever), BAD if rise else WORRY if ever else CALM)


def filling(is_there: object, bound: object) -> Cell:
    """How full something with a bound is."""
    some, most = number(is_there), number(bound)
    if some is None or most is None or most <= 0:
        return Cell("-")
    return Cell(percent(some / most), BAD if some >= most else WORRY if some / most >= NEAR else CALM)


def megabytes(report: Report) -> str:
    memory = number(at(report, "process", "memory_bytes"))
    return "-" if memory is None else short(round(memory / 1e6))


def percent(value: object) -> str:
    """A share as a reader takes it in at a glance."""
    some = number(value)
    return "-" if some is None else f"{some * 100:.0f}%" if not 0 < some < 0.1 else f"{some * 100:.1f}%"


def rate(value: object) -> str:
    """Something a second: a digit after the point where it is small."""
    some = number(value)
    return "-" if some is None else f"{some:.1f}" if some < 100 else short(round(some))


def short(value: object) -> str:
    """A count in seven characters at most."""
    some = number(value)
    if some is None:
        return "-"
    for unit, size in (("", 1e6), ("k", 1e8), ("M", 1e11)):
        if abs(some) < size:
            return f"{some / {'': 1, 'k': 1e3, 'M': 1e6}[unit]:.0f}{unit}"
    return f"{some:.0e}"


def _plain(value: object) -> str:
    some = number(value)
    return "-" if some is None else f"{some:.1f}" if abs(some) < 10_000 else short(some)


class LabelRow(NamedTuple):
    """A label, of all workers together."""

    name: str
    rate: float | None
    flows: int
    exams: int
    right: float
    """Of the exams that were answered: how many were right, where that is told."""
    told: int
    """Exams of those."""


def labels(watch: Watch) -> tuple[list[LabelRow], int]:
    """All labels, those that come most often just now first; and how many flows they are together."""
    rows: dict[str, LabelRow] = {}
    for party, sight in watch.sights.items():
        if party.kind != "worker":
            continue
        rates, known = sight.label_rates(), at(sight.report, "truth", "labels")
        for name, flows in sight.past[-1].labels.items():
            row = rows.get(name, LabelRow(name, None, 0, 0, 0.0, 0))
            now = rates[name]
            both = row.rate if now is None else now + (row.rate or 0.0)
            exams, accuracy = count(at(known, name, "exams")) or 0, number(at(known, name, "accuracy"))
            right, told = (0.0, 0) if accuracy is None else (accuracy * exams, exams)
            rows[name] = LabelRow(name, both, row.flows + flows, row.exams + exams, row.right + right, row.told + told)
    flows = sum(row.flows for row in rows.values())
    return sorted(rows.values(), key=lambda row: (-(row.rate or 0.0), -row.flows, row.name)), flows


def label_cells(row: LabelRow, flows: int) -> list[Cell]:
    """A row of the table of labels."""
    right = percent(row.right / row.told) if row.told else "-"
    of_all = percent(row.flows / flows) if flows else "-"
    return [
        Cell(row.name),
        Cell(rate(row.rate)),
        Cell(short(row.flows)),
        Cell(of_all),
        Cell(right),
        Cell(short(row.exams)),
    ]
