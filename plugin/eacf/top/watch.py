"""What each party said of late, so that counts become rates.

Law: whatever the reports say, and however many there are, what is kept is bounded, and nothing raises.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from eacf.reports import Report, at, count, kind_of, number, text, total
from eacf.status import Party

MAX_PARTIES = 128
"""Parties that are followed; more are only counted."""
WINDOW_S = 10.0
"""Rates are of the time since a report about so old."""
APART_S = 1.0
"""Reports that are kept for that are so far apart at least."""
MAX_LABELS = 200
"""Labels of one report whose counts are kept, the most frequent."""
SILENT_S = 2.0
"""Who has not answered for so long, and for :data:`MISSED` questions, is silent."""
MISSED = 3


class Past(NamedTuple):
    """What is kept of a report for the sake of rates."""

    heard: float
    up_s: float | None
    counts: Mapping[str, float | None]
    labels: Mapping[str, int]
    """By name as it may be shown."""
    all_labels: bool
    """Whether no label was left out."""


@dataclass(slots=True)
class Sight:
    """One party."""

    report: Report
    heard: float
    """When the report came; of the clock that all times here are of."""
    past: deque[Past] = field(default_factory=deque)
    """Oldest first; the last is of `report`."""

    def _span(self) -> tuple[Past, Past, float] | None:
        """Oldest, newest, and the seconds between them; by the party's own clock where it tells it. None where there is but one
        report, or the party was started anew in between."""
        old, new = self.past[0], self.past[-1]
        begun, ended = (old.heard, new.heard) if old.up_s is None or new.up_s is None else (old.up_s, new.up_s)
        seconds = ended - begun
        return (old, new, seconds) if seconds > 0 else None

    def rise(self, name: str) -> float | None:
        """By how much a count grew in the window; None where that cannot be told."""
        if (span := self._span()) is None:
            return None
        before, now = span[0].counts.get(name), span[1].counts.get(name)
        return None if before is None or now is None or now < before else now - before

    def rate(self, name: str) -> float | None:
        """The same a second."""
        rise, span = self.rise(name), self._span()
        return None if rise is None or span is None else rise / span[2]

    def label_rates(self) -> dict[str, float | None]:
        """Verdicts a second by label, of the labels of the last report."""
        span = self._span()
        if span is None:
            return dict.fromkeys(self.past[-1].labels)
        old, new, seconds = span
        rates: dict[str, float | None] = {}
        for label, now in new.labels.items():
            before = old.labels.get(label, 0 if old.all_labels else None)
            rates[label] = None if before is None or now < before else (now - before) / seconds
        return rates


class Watch:
    """All parties."""

    def __init__(self, interval_s: float) -> None:
        """`interval_s`: how often they are asked."""
        self.sights: dict[Party, Sight] = {}
        self.present: frozenset[Party] = frozenset()
        """Those whose subscription is on the bus."""
        self.passed_over = 0
        """Reports of others than the :data:`MAX_PARTIES` that are followed, since the last question."""
        self._patience_s = max(SILENT_S, MISSED * interval_s)

    def take(self, party: Party, report: Report, now: float) -> None:
        """A report came."""
        sight = self.sights.get(party)
        if sight is None:
            if len(self.sights) >= MAX_PARTIES:
                self.passed_over += 1
                return
            sight = self.sights[party] = Sight(report, now)
        sight.report, sight.heard = report, now
        past, new = sight.past, _past(report, now)
        if past and _is_other(past[-1], new):
            past.clear()
        # The newest gives way to one that is newer, unless it is far enough from the one before.
        if len(past) >= 2 and past[-1].heard - past[-2].heard < APART_S:
            past.pop()
        past.append(new)
        while len(past) > 2 and now - past[1].heard >= WINDOW_S:
            past.popleft()

    def look(self, present: Iterable[Party], now: float) -> None:
        """Who is there now. Whoever is not and has not answered for a while is forgotten."""
        self.present = frozenset(present)
        gone = [
            party
            for party, sight in self.sights.items()
            if party not in self.present and now - sight.heard > self._patience_s
        ]
        for party in gone:
            del self.sights[party]

    def parties(self, kind: str) -> list[Party]:
        """Those of a kind, by name: all that answered, and all that are there."""
        known = {*self.sights, *self.present}
        return sorted((party for party in known if party.kind == kind), key=Party.order)

    def silent_s(self, party: Party, now: float) -> float | None:
        """For how long it has not answered, if that is long; infinite where it never did."""
        sight = self.sights.get(party)
        since = float("inf") if sight is None else now - sight.heard
        return since if since > self._patience_s else None

    def asked(self) -> None:
        """The question goes out."""
        self.passed_over = 0

    def answered(self, since: float) -> bool:
        """Whether all that are there have answered since then."""
        return all(party in self.sights and self.sights[party].heard >= since for party in self.present)


def _is_other(old: Past, new: Past) -> bool:
    """Whether the party was started anew."""
    return old.up_s is not None and new.up_s is not None and new.up_s < old.up_s


def _past(report: Report, now: float) -> Past:
    labels = report.get("labels")
    counts = {text(name): count(value) for name, value in labels.items()} if isinstance(labels, Mapping) else {}
    known = {name: many for name, many in counts.items() if many}
    kept = sorted(known, key=lambda name: -known[name])[:MAX_LABELS]
    up_s = number(report.get("up_s" if report.get("kind") == "zeek" else "uptime_s"))
    return Past(now, up_s, counts_of(report), {name: known[name] for name in kept}, len(kept) == len(known))


def counts_of(report: Report) -> dict[str, float | None]:
    """The counts of which rates are shown, by a name of ours; None where the report does not say."""

    def of(*path: str) -> int | None:
        return count(at(report, *path))

    cpu = {"cpu": number(at(report, "process", "cpu_s"))}
    match kind_of(report):
        case "worker":
            return {
                **cpu,
                "flows": of("flows_in"),
                "verdicts": of("verdicts_out"),
                "abstained": of("abstained"),
                "refused": of("refused"),
                "dropped": total(report.get("dropped")),
                "malformed": total(report.get("malformed")),
            }
        case "zeek":
            named = ("labelled", "abstained", "refused", "timed_out", "no_worker", "shed")
            stray, acts = total(report.get("verdicts")), total(at(report, "acts", "done"))
            return {"flows": of("collected"), **{name: of(name) for name in named}, "stray": stray, "acts": acts}
        case "enforce":
            acts_by_kind = report.get("acts")
            sums = [total(each) for each in acts_by_kind.values()] if isinstance(acts_by_kind, Mapping) else [None]
            acts = None if None in sums else sum(each for each in sums if each is not None)
            failed = of("nft", "failed")
            return {**cpu, "acts": acts, "refused": _but(report.get("refused"), "dry_run"), "failed": failed}
        case "relay":
            dropped, refused = total(report.get("dropped")), total(report.get("refused"))
            counts = {"out": of("out"), "cut": of("out_cut"), "in": of("taken")}
            return {**cpu, **counts, "dropped": dropped, "refused": refused}
    return {}


def _but(counts: object, name: str) -> int | None:
    """The sum of counts without one of them."""
    if not isinstance(counts, Mapping):
        return None
    return total({each: value for each, value in counts.items() if each != name})
