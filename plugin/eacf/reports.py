"""What workers, Zeek processes and a gateway's agents report of themselves: read with care, and put into words.

A report came over the bus, so it may be anything that JSON can say. Law: nothing here raises on any report, and no text
that is given can steer a terminal or is longer than a screen can bear.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

Report = Mapping[str, object]

MAX_TEXT = 100
"""Characters of one text that are shown."""
MAX_LIST = 32
"""Entries of a list or an object that are shown; the rest is counted."""
MAX_NUMBER = 10**18
"""A larger number is none of ours."""

ZEEK_TERMS = ("labelled", "abstained", "refused", "timed_out", "no_worker", "shed", "pending")
"""What ``collected`` of a Zeek process is the sum of."""
PEER_COUNTS = ("sent", "answered", "unanswered")
COLUMN = 14
MAX_WORST = 3
"""Labels that are named as the worst."""


def at(report: object, *path: str) -> object:
    """The value at a path of keys; None where there is none."""
    for key in path:
        report = report.get(key) if isinstance(report, Mapping) else None
    return report


def number(value: object) -> int | float | None:
    """The value if it is a number that can be reckoned with, else None."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return value if abs(value) <= MAX_NUMBER and math.isfinite(value) else None


def count(value: object) -> int | None:
    """The value if it is a whole number of 0 or more, else None. Zeek writes some counts as doubles."""
    found = number(value)
    return int(found) if found is not None and found >= 0 and found == int(found) else None


def text(value: object) -> str:
    """Anything on one line: "-" for what is missing, numbers with their thousands parted, nothing unprintable."""
    if value is None:
        return "-"
    found = number(value)
    said = f"{found:,}" if found is not None else _clipped(value)
    return "".join(character if character.isprintable() else "?" for character in said)


def _clipped(value: object) -> str:
    if isinstance(value, (str, bool)):
        return str(value)[:MAX_TEXT]
    if isinstance(value, (Mapping, Sequence)):
        return "(something else)"
    return "(a number out of range)"


def entries(value: object) -> list[Report]:
    """The objects in a list, MAX_LIST at most; none where it is no list."""
    return [each for each in value if isinstance(each, Mapping)][:MAX_LIST] if isinstance(value, list) else []


def is_zeek(report: Report) -> bool:
    """Whether a Zeek process says it."""
    return report.get("kind") == "zeek"


def is_agent(report: Report) -> bool:
    """Whether a gateway's agent (``eacf enforce``) says it."""
    return report.get("kind") == "enforce"


def is_worker(report: Report) -> bool:
    """Whether a worker says it, whose reports have no kind."""
    return not is_zeek(report) and not is_agent(report)


def name_of(report: Report) -> str:
    """Id of the worker, the agent or the Zeek process, to be shown."""
    return text(report.get("node" if is_zeek(report) else "worker"))


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
    dropped = report.get("dropped")
    counts = [count(value) for value in dropped.values()] if isinstance(dropped, Mapping) else [None]
    terms = {
        "answered": count(report.get("verdicts_out")),
        "dropped": None if None in counts else sum(value for value in counts if value is not None),
        "queued": count(at(report, "queue", "flows")),
        "held": count(report.get("held_verdicts")),
    }
    return Account(count(report.get("flows_in")), terms, "taken in")


def render(report: Report) -> str:
    """A report in words, one thing a line. Fields that it lacks are shown as "-"."""
    of = _zeek_lines if is_zeek(report) else _agent_lines if is_agent(report) else _worker_lines
    return "\n".join(f"{name:<18}{said}" for name, said in of(report))


def _worker_lines(report: Report) -> Iterator[tuple[str, str]]:
    def of(*path: str) -> str:
        return text(at(report, *path))

    yield "worker", f"{of('worker')} (eacf {of('version')}, {of('runtime')})"
    yield "up for", _duration(report.get("uptime_s"))
    yield "bundle", f"{of('bundle', 'name')} {of('bundle', 'version')} (id {of('bundle', 'id')})"
    yield "reloads", f"{of('reloads', 'done')}, and {of('reloads', 'failed')} that failed"
    yield "messages in", of("messages_in")
    yield "flows in", of("flows_in")
    yield "verdicts out", f"{of('verdicts_out')} ({of('abstained')} abstained, {of('refused')} refused)"
    yield "flows dropped", _by_name(report.get("dropped"))
    yield "malformed", _by_name(report.get("malformed"))
    yield "queue", f"{of('queue', 'flows')} of {of('queue', 'limit_flows')} flows"
    quantiles = ", ".join(f"{name} {of('latency_ms', name)}" for name in ("p50", "p90", "p99", "max"))
    yield "latency in ms", f"{quantiles} (of {of('latency_ms', 'flows')} flows of the last two minutes)"
    yield "batches", _by_name(at(report, "batches", "sizes"), "of up to ")
    yield from _models_lines(report.get("models"))
    yield from _truth_lines(report)
    memory = number(at(report, "process", "memory_bytes"))
    megabytes = text(None if memory is None else round(memory / 1e6))
    yield "process", f"{of('process', 'cpu_s')} s of CPU, {megabytes} MB, {of('process', 'threads')} threads"


def _models_lines(models: object) -> Iterator[tuple[str, str]]:
    """The store of models, where the worker has one."""
    if isinstance(models, Mapping):
        serving = models.get("serving")
        said = "the bundle of the settings serves" if serving is None else f"{text(serving)} serves"
        kept, older = models.get("kept"), count(models.get("older"))
        many = len(kept) + (older or 0) if isinstance(kept, list) else None
        yield "model store", f"{said}, {text(many)} kept"


def _truth_lines(report: Report) -> Iterator[tuple[str, str]]:
    """Live accuracy, drift, the shadow. An eacf that says nothing of them is an older one."""
    truth, shadow = report.get("truth"), report.get("shadow")
    if not isinstance(truth, Mapping):
        return
    of = f"{text(truth.get('exams'))} flows with a known name, of {text(truth.get('clients'))} clients"
    yield "live accuracy", f"{_figures(truth)} ({of}, of the last {_duration(truth.get('seconds'))})"
    yield "calibration", f"confidence and accuracy differ by {_percent(truth.get('calibration_error'))}"
    worst = list(_worst(truth.get("labels")))
    if worst:
        yield "worst labels", ", ".join(worst)
    before = truth.get("before")
    if isinstance(before, Mapping):
        yield "model before", f"{text(before.get('bundle'))}, {_figures(before)}"
    now = at(truth, "drift", "now")
    drifting = [text(kind) for kind, is_so in now.items() if is_so is True] if isinstance(now, Mapping) else None
    said = "is not looked for" if drifting is None else ", ".join(drifting) or "none seen"
    yield "drift", f"{said} (alarms: {_by_name(truth.get('alarms'))})"
    if isinstance(shadow, Mapping):
        bundle = f"{text(at(shadow, 'bundle', 'name'))} {text(at(shadow, 'bundle', 'version'))}"
        yield "shadow", f"{bundle} (id {text(at(shadow, 'bundle', 'id'))})"
        scored = f"{text(shadow.get('scored'))} scored, {text(shadow.get('skipped'))} skipped"
        yield "", f"{scored}, {_percent(shadow.get('agreement'))} as the one that serves"
        yield "", f"{_figures(shadow)}; the one that serves, on the same flows: {_figures(at(shadow, 'serving'))}"


def _figures(of: object) -> str:
    return f"{_percent(at(of, 'accuracy'))} right of {_percent(at(of, 'coverage'))} answered"


def _percent(value: object) -> str:
    share = number(value)
    return "-" if share is None else f"{share:.1%}"


def _worst(labels: object) -> Iterator[str]:
    """The labels that are right least often, of those with enough answers to tell."""
    if not isinstance(labels, Mapping):
        return
    known = [(number(at(of, "accuracy")), count(at(of, "exams")), label) for label, of in labels.items()]
    told = [(share, exams, text(label)) for share, exams, label in known if share is not None and (exams or 0) >= 20]
    for share, exams, label in sorted(told)[:MAX_WORST]:
        if share < 1:
            yield f"{label} {share:.1%} of {exams:,}"


def _agent_lines(report: Report) -> Iterator[tuple[str, str]]:
    def of(*path: str) -> str:
        return text(at(report, *path))

    yield "agent", f"{of('worker')} (eacf {of('version')}), mode {of('mode')}"
    yield "up for", _duration(report.get("uptime_s"))
    rules = report.get("rules")
    counts = [count(each) for each in rules.values()] if isinstance(rules, Mapping) else [None]
    total = None if None in counts else sum(each for each in counts if each is not None)
    yield (
        "rules in place",
        f"{text(total)} of {of('bounds', 'rules')} ({_by_name(rules)}), {of('restored')} of them put back",
    )
    acts = report.get("acts")
    for kind, outcomes in list(acts.items())[:MAX_LIST] if isinstance(acts, Mapping) else ():
        yield f"asked: {text(kind)}", _by_name(outcomes)
    yield "refused", _by_name(report.get("refused"))
    yield "rules that ended", _by_name(report.get("removed"))
    yield "malformed", _by_name(report.get("malformed"))
    yield "policy", f"read again {of('reloads', 'done')} times, refused {of('reloads', 'refused')} times"
    nft = ", ".join(f"{of('nft', each)} {what}" for each, what in (("failed", "refused"), ("seconds", "s in them")))
    yield "transactions", f"{of('nft', 'transactions')} ({nft})"
    quantiles = ", ".join(f"{name} {of('latency_ms', name)}" for name in ("p50", "p90", "p99", "max"))
    yield "latency in ms", f"{quantiles} (of {of('latency_ms', 'flows')} acts of the last two minutes)"
    memory = number(at(report, "process", "memory_bytes"))
    yield "process", f"{of('process', 'cpu_s')} s of CPU, {text(None if memory is None else round(memory / 1e6))} MB"


def _zeek_lines(report: Report) -> Iterator[tuple[str, str]]:
    def of(*path: str) -> str:
        return text(at(report, *path))

    yield "zeek", f"{of('node')} (Zeek {of('zeek')}, eacf {of('package')}, contract {of('contract')})"
    cluster_node = report.get("cluster_node")
    where = "standalone" if cluster_node == "" else f"cluster node {text(cluster_node)}"
    yield "mode", f"{of('mode')}, {where}, bus {of('backend')}"
    yield "up for", _duration(report.get("up_s"))
    yield "asks for", needs_in_words(report.get("needs"))
    yield (
        "flows collected",
        f"{of('collected')} ({of('held')} more in the making, {of('excluded')} left alone by policy)",
    )
    yield "verdicts in", f"{of('labelled')} labelled, {of('abstained')} abstained, {of('refused')} refused"
    without = ", ".join(f"{of(term)} {term}" for term in ("timed_out", "no_worker", "shed", "pending"))
    yield "without a verdict", without
    yield "verdict errors", _by_name(report.get("verdicts"))
    lines = ", ".join(f"{of('delayed', 'conn_log_' + what)} {what}" for what in ("waiting", "late", "overflow"))
    yield "conn.log lines", lines
    yield from _peers(report, "worker", "model", PEER_COUNTS)
    yield from _peers(report, "tap", None, ("sent", "received", "lost", "skipped"))


def _peers(report: Report, kind: str, model: str | None, counts: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The workers or taps that a Zeek process knows of, a line each."""
    known = report.get(kind + "s")
    shown = entries(known)
    for peer in shown:
        said = [text(peer.get("state")), *(f"{text(peer.get(each))} {each}" for each in counts)]
        serves = f", serves {text(peer.get(model))}" if model else ""
        yield f"its {kind}", f"{text(peer.get(kind))} {', '.join(said)}{serves}"
    if isinstance(known, list) and len(known) > len(shown):
        yield "", f"and {len(known) - len(shown):,} more"
    if not shown and kind == "worker":
        yield "its workers", "none"


def needs_in_words(needs: object) -> str:
    """What a sensor collects."""
    payload, records = count(at(needs, "payload_bytes")), text(at(needs, "records"))
    if payload == 0 and at(needs, "chunks") is False:
        return f"lengths of the first {records} records, no payload"
    window = text(at(needs, "window_bytes"))
    return f"{text(payload)} bytes of payload of a window of {window}, records {records}"


def side_by_side(reports: Sequence[Report]) -> str:
    """Both ends of each worker's way, and whether the accounts close; empty where nobody reported."""
    reports = [report for report in reports if not is_agent(report)]
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


def _by_name(counts: object, before: str = "") -> str:
    """``3 full, 4 late``, or ``none``."""
    if not isinstance(counts, Mapping):
        return "-"
    said = [f"{text(value)} {before}{text(name)}" for name, value in counts.items() if value]
    more = [f"{len(said) - MAX_LIST:,} more"] if len(said) > MAX_LIST else []
    return ", ".join(said[:MAX_LIST] + more) or "none"


def _duration(value: object) -> str:
    seconds = number(value)
    if seconds is None:
        return "-"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours // 24:,} d {hours % 24} h {minutes} min" if hours >= 24 else f"{hours} h {minutes} min {rest} s"
