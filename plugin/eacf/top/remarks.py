"""What an operator should look at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from eacf.reports import Report, account, at, is_worker, is_zeek, number, text, total
from eacf.status import KINDS, WHAT, Party
from eacf.top.figures import BAD, WORRY, Cell, filling, percent, rate, shown_name
from eacf.top.watch import Watch

MAX_NAME = 17
"""Characters of a name: the remark itself is to be seen."""


def remarks(watch: Watch, now: float) -> Iterator[Cell]:
    """What an operator should look at, the worst first."""
    found = [remark for kind in KINDS for party in watch.parties(kind) for remark in _of(watch, party, now)]
    yield from sorted(found, key=lambda cell: cell.style != BAD)


def _of(watch: Watch, party: Party, now: float) -> Iterator[Cell]:
    sight = watch.sights.get(party)
    name = shown_name(party, sight)
    who = f"{'zeek' if party.kind == 'zeek' else WHAT[party.kind]} {name if len(name) <= MAX_NAME else name[: MAX_NAME - 1] + '+'}"
    silent_s = watch.silent_s(party, now)
    if silent_s is not None:
        since = "has not answered yet" if silent_s == float("inf") else f"has been silent for {silent_s:.0f} s"
        yield Cell(f"{who} {since}", BAD)
    if sight is None:
        return
    report = sight.report
    if is_worker(report) or is_zeek(report):
        gap = account(report).gap
        if gap:
            yield Cell(f"{who}: its account does not close, {abs(gap):,} too {'few' if gap > 0 else 'many'}", BAD)
    for name, what in _LOSSES.get(party.kind, {}).items():
        if (per_s := sight.rate(name)) is not None and per_s > 0:
            yield Cell(f"{who}: {what}, {rate(per_s)} a second", BAD)
    for what, there, bound in _bounds(party.kind, report):
        if filling(there, bound).style:
            yield Cell(f"{who}: {what} at {percent((number(there) or 0) / (number(bound) or 1))} of the bound", WORRY)
    drifting = at(report, "truth", "drift", "now")
    if isinstance(drifting, Mapping) and (kinds := [text(kind) for kind, is_so in drifting.items() if is_so is True]):
        yield Cell(f"{who}: drift of {', '.join(kinds[:4])}", WORRY)
    if party.kind == "zeek" and (problem := at(report, "acts", "problem")) is not None:
        yield Cell(f"{who}: its policy is refused: {text(problem)}", WORRY)


_LOSSES = {
    "worker": {"dropped": "flows dropped", "malformed": "messages that it cannot read"},
    "zeek": {
        "timed_out": "verdicts late or missing",
        "no_worker": "flows and no worker",
        "shed": "flows shed: too few workers",
        "stray": "verdicts that it cannot use",
    },
    "enforce": {"refused": "acts refused", "failed": "transactions that nftables refuses"},
    "relay": {
        "cut": "messages lost to slow clients",
        "dropped": "messages of clients dropped",
        "refused": "handshakes refused",
    },
}
"""What should not grow, and how it is said."""


def _bounds(kind: str, report: Report) -> Iterator[tuple[str, object, object]]:
    if kind == "worker":
        yield "its queue is", at(report, "queue", "flows"), at(report, "queue", "limit_flows")
        yield "the bytes in its queue are", at(report, "queue", "bytes"), at(report, "queue", "limit_bytes")
    elif kind == "enforce":
        yield "its rules are", total(report.get("rules")), at(report, "bounds", "rules")
