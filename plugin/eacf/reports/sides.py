"""Both ends of each worker's way side by side, and the accounts, which must close."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from eacf.reports.reading import MAX_LIST, Report, at, count, entries, is_worker, is_zeek, name_of, text, total

ZEEK_TERMS = ("labelled", "abstained", "refused", "timed_out", "no_worker", "shed", "pending")
"""What ``collected`` of a Zeek process is the sum of."""
COLUMN = 14


@dataclass(frozen=True, slots=True)
class Account:
    """A sum that must be right at every moment."""

    total: int | None
    terms: Mapping[str, int | None]
    """None, here and above: the report does not say, or not with a number."""
    what: str

    @property
    def gap(self) -> int | None:
        """How much of the total is in no term; 0 where the account closes, None where that cannot be told."""
        known = [value for value in self.terms.values() if value is not None]
        return None if self.total is None or len(known) < len(self.terms) else self.total - sum(known)

    def __str__(self) -> str:
        terms = " + ".join(f"{text(value)} {name}" for name, value in self.terms.items())
        return f"{text(self.total)} {self.what} = {terms}"

    @property
    def verdict(self) -> str:
        """Whether it closes, in words."""
        if self.gap is None:
            return "cannot be told: the report lacks a number"
        return (
            "closes" if self.gap == 0 else f"DOES NOT CLOSE: {abs(self.gap):,} too {'few' if self.gap > 0 else 'many'}"
        )


def account(report: Report) -> Account:
    """The account of a Zeek process or a worker."""
    if is_zeek(report):
        return Account(
            count(report.get("collected")), {term: count(report.get(term)) for term in ZEEK_TERMS}, "collected"
        )
    terms = {
        "answered": count(report.get("verdicts_out")),
        "dropped": total(report.get("dropped")),
        "queued": count(at(report, "queue", "flows")),
        "held": count(report.get("held_verdicts")),
    }
    return Account(count(report.get("flows_in")), terms, "taken in")


def side_by_side(reports: Sequence[Report]) -> str:
    """Both ends of each worker's way, and whether the accounts close; empty where no worker and no Zeek reported."""
    reports = [report for report in reports if is_worker(report) or is_zeek(report)]
    shown = reports[:MAX_LIST]
    lines = [*_flows_of_workers(shown), *_accounts(shown)]
    if len(reports) > len(shown):
        lines.append(f"  and {len(reports) - len(shown):,} reports more, see --json")
    return "\n".join(lines)


@dataclass(slots=True)
class _Way:
    """Flows to a worker and verdicts from it, as its two ends count them; None: that end says nothing."""

    sent: int | None = None
    came_in: int | None = None
    answered: int | None = None
    heard: int | None = None

    def remarks(self) -> Iterator[str]:
        """What differs, in words."""
        if self.sent is not None and self.came_in is not None:
            if self.sent > self.came_in:
                yield f"{self.sent - self.came_in:,} sent and not come to the worker: on the way just now, or lost"
            elif self.sent < self.came_in:
                more = self.came_in - self.sent
                yield f"{more:,} came from elsewhere: from a Zeek that ended, was restarted, or did not answer here"
                return  # so were some of the answers
        if self.answered is not None and self.heard is not None and self.answered > self.heard:
            yield f"{self.answered - self.heard:,} answered and not come to Zeek: on the way just now, or lost"


def _ways(reports: Sequence[Report]) -> dict[str, _Way]:
    """By worker. What several Zeek processes say of one worker is summed."""
    ways: dict[str, _Way] = {}
    for report in reports:
        if not is_zeek(report):
            way = ways.setdefault(name_of(report), _Way())
            way.came_in, way.answered = count(report.get("flows_in")), count(report.get("verdicts_out"))
            continue
        for peer in entries(report.get("workers")):
            way = ways.setdefault(text(peer.get("worker")), _Way())
            way.sent = _sum(way.sent, count(peer.get("sent")))
            way.heard = _sum(way.heard, count(peer.get("answered")))
    return ways


def _flows_of_workers(reports: Sequence[Report]) -> Iterator[str]:
    ways = _ways(reports)
    if not ways:
        return
    headings = ("Zeek sent", "worker got", "it answered", "Zeek heard")
    yield f"{'flows to and from':<22}" + "".join(f"{each:>{COLUMN}}" for each in headings)
    for worker, way in sorted(ways.items())[:MAX_LIST]:
        columns = (way.sent, way.came_in, way.answered, way.heard)
        yield f"  {worker:<20}" + "".join(f"{text(each):>{COLUMN}}" for each in columns)
        for remark in way.remarks():
            yield f"  {'':<20}  {remark}"


def _accounts(reports: Sequence[Report]) -> Iterator[str]:
    if reports:
        yield "accounts"
    for report in reports:
        of = account(report)
        yield f"  {'zeek' if is_zeek(report) else 'worker':<7}{name_of(report)}  {of}: {of.verdict}"


def _sum(first: int | None, second: int | None) -> int | None:
    return second if first is None else first if second is None else first + second
