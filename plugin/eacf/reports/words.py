"""Reports in words, one thing a line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from eacf.reports.reading import MAX_LIST, Report, at, count, entries, kind_of, name_of, number, text, total

PEER_COUNTS = ("sent", "answered", "unanswered")
MAX_WORST = 3
"""Labels that are named as the worst."""


def render(report: Report) -> str:
    """A report in words, one thing a line. Fields that it lacks are shown as "-"."""
    kind = kind_of(report)
    of = {"worker": _worker_lines, "zeek": _zeek_lines, "enforce": _agent_lines, "relay": _relay_lines}
    return "\n".join(f"{name:<18}{said}" for name, said in of.get(kind, _strange_lines)(report))


def _strange_lines(report: Report) -> Iterator[tuple[str, str]]:
    """Of a kind that this release does not know."""
    yield kind_of(report)[:16], f"{name_of(report)} (eacf {text(report.get('version'))})"
    yield "up for", _duration(report.get("uptime_s"))
    yield "", "this eacf does not know that kind; --json shows all that it says"


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
    yield "process", _process(report)


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
    yield (
        "rules in place",
        f"{text(total(rules))} of {of('bounds', 'rules')} ({_by_name(rules)}), {of('restored')} of them put back",
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
    yield "process", _process(report)


def _relay_lines(report: Report) -> Iterator[tuple[str, str]]:
    def of(*path: str) -> str:
        return text(at(report, *path))

    yield "relay", of("worker")
    yield "up for", _duration(report.get("uptime_s"))
    yield "clients", f"{of('connections')} connections now, {of('clients')} keys known, {of('topics')} topics"
    yield "admitted", _by_name(report.get("admitted"))
    refused = _by_name(report.get("refused"))
    yield "refused", f"{refused}; {of('refused_topics')} subscriptions; all cut off {of('cuts')} times"
    yield "messages out", f"{of('out')} ({of('out_cut')} cut: a client did not keep up)"
    yield "messages in", f"{of('taken')} (dropped: {_by_name(report.get('dropped'))})"
    yield "clients' folder", f"read again {of('reloads', 'done')} times, refused {of('reloads', 'refused')} times"
    yield "process", _process(report)


def _process(report: Report) -> str:
    memory = number(at(report, "process", "memory_bytes"))
    megabytes = text(None if memory is None else round(memory / 1e6))
    cpu, threads = (text(at(report, "process", each)) for each in ("cpu_s", "threads"))
    return f"{cpu} s of CPU, {megabytes} MB, {threads} threads"


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
    yield from _acts_lines(report.get("acts"))
    yield from _peers(report, "worker", "model", PEER_COUNTS)
    yield from _peers(report, "tap", None, ("sent", "received", "lost", "skipped"))


def _acts_lines(acts: object) -> Iterator[tuple[str, str]]:
    """The policy, where there is a file of one. An eacf that says nothing of it is an older one."""
    if not isinstance(acts, Mapping) or not acts.get("policy_file"):
        return
    agents = acts.get("agents")
    of = f"{text(len(agents) if isinstance(agents, list) else None)} agents, {text(acts.get('waiting'))} acts wait"
    mode = "no policy holds" if acts.get("mode") is None else f"mode {text(acts.get('mode'))}"
    yield "policy", f"{text(acts.get('policy_file'))}, {mode}, {of}"
    if acts.get("problem") is not None:
        yield "policy refused", text(acts.get("problem"))
    yield "acts", _by_name(acts.get("done"))
    yield "flows spared", f"{text(acts.get('left_alone'))} left alone, {text(acts.get('unsure'))} not sure enough"


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
