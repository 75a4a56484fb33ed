"""What a Zeek process reports of itself, held against us and against the workers that answered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import eacf
from eacf import sensor
from eacf.bundle import Bundle
from eacf.doctor.finding import Finding, ok, problem, warning
from eacf.reports import Report, account, at, count, entries, name_of, number, text

CONTRACT = 1
"""Version of the contract that :mod:`eacf.wire` speaks."""
BACKEND = "zeromq"
"""As Zeek and its enum write it, in capitals or not."""
CLOCK_S = 1.0
"""Clocks that differ by more make latencies and times of logs worthless."""
LAG_S = 10.0
"""A live Zeek whose packets are older than this lags, or gets none."""
WARM_S = 60.0
"""A live Zeek that is up for longer should have seen a TLS connection."""

RAISE = (
    "raise EACF::max_payload (0 forbids payload whatever a model asks), or serve a bundle that works on record lengths"
)
WITHOUT_VERDICT = {
    "timed_out": "the worker was too slow, hung or was killed: see its latency and drops in `eacf status`; a second worker, or a "
    "longer EACF::verdict_timeout",
    "no_worker": "no worker was there at the time: keep one running (systemd, Restart=always)",
    "shed": "a bound was reached (EACF::max_held_flows, max_held_bytes, max_unanswered): start another worker, or collect "
    "fewer connections (EACF::sample_one_in)",
    "refused": f"the model needs more than Zeek ships: {RAISE}",
}
"""Ways for a flow to stay without a label that are nobody's intention, and what to do about each."""
VERDICT_ERRORS = {
    "stranger": "verdicts came from somebody whom Zeek does not know as a worker: see who else is on the bus",
    "malformed": "verdicts came that the contract does not allow (a label too long, a control character): see who sends them, "
    "and whether worker and package are of one release",
    "late": "verdicts came after their timeout: see the worker's latency in `eacf status`; a second worker, or a longer "
    "EACF::verdict_timeout",
    "twice": "a flow was answered twice: are there two workers of one id, or does a stranger speak for one?",
    "unasked": "verdicts came on flows that this Zeek did not send: two Zeek processes of one node id, or a restart of Zeek "
    "within the worker's queue",
}
DELAYED = {
    "conn_log_late": "raise EACF::conn_log_max_delay above the verdict's latency, or join conn.log with eacf.log by uid",
    "conn_log_overflow": "raise EACF::conn_log_max_delayed, or join conn.log with eacf.log by uid",
}


def look(report: Report, present: Sequence[str], asked: float, heard: float) -> Iterator[Finding]:
    """Each check of one Zeek process. `present`: ids of the workers that answered; `asked`, `heard`: when, by our clock."""
    yield from release(report)
    yield from serving(report, present)
    yield from clock(report, asked, heard)
    yield closes(report)
    yield from traffic(report)
    yield from losses(report)


def release(report: Report) -> Iterator[Finding]:
    """Contract, package, Zeek and backend."""
    who = name_of(report)
    contract, package, backend = report.get("contract"), report.get("package"), report.get("backend")
    node = report.get("cluster_node")
    where = "standalone" if node == "" else f"cluster node {text(node)}"
    release = f"{who}: Zeek {text(report.get('zeek'))}, package {text(package)}, contract {text(contract)}"
    seen = f"{release}, {text(backend)}, {text(report.get('mode'))}, {where}"
    version = sensor.version_of(text(report.get("zeek")))
    if number(contract) != CONTRACT:
        yield problem("zeek", seen, f"this eacf speaks contract {CONTRACT}: install package and eacf of one release")
    elif version is not None and not version.fits:
        yield problem("zeek", seen, "the package needs Zeek 8.0 or newer: upgrade it")
    elif text(backend).lower() != BACKEND:
        yield problem("zeek", seen, "eacf speaks ZeroMQ alone: move the cluster to Zeek's ZeroMQ backend")
    elif package != eacf.__version__:
        yield warning("zeek", seen, f"this eacf is {eacf.__version__}: bring both to one release (zkg upgrade eacf)")
    else:
        yield ok("zeek", seen)


def serving(report: Report, present: Sequence[str]) -> Iterator[Finding]:
    """Whether it has a worker, and what it thinks of each."""
    who, check = name_of(report), "its workers"
    workers = entries(report.get("workers"))
    states = {text(each.get("worker")): text(each.get("state")) for each in workers}
    ready = [worker for worker, state in states.items() if state == "ready"]
    if ready:
        yield ok(check, f"zeek {who} is served by {', '.join(ready)}")
    elif "hung" in states.values():
        pass  # told below, with the remedy
    elif present:
        remedy = "a Zeek that has just started needs a second: ask again; else restart the worker, and compare releases"
        yield problem(check, f"zeek {who} has no worker that is ready, though {', '.join(present)} answered us", remedy)
    else:
        remedy = "start one: `eacf worker`; until then flows are logged with the reason no_worker"
        yield problem(check, f"zeek {who} has no worker", remedy)
    for worker, state in states.items():
        if state == "hung":
            remedy = (
                "it is tried again now and then (EACF::worker_retry); if its process is stopped (ps, state T) continue it, if it "
                "spins end it"
            )
            yield problem(check, f"zeek {who} set worker {worker} aside: it owed verdicts and said nothing", remedy)
        elif state == "greeting":
            remedy = "ask again; if it stays so, the worker does not answer `who`: restart it, and compare releases"
            yield warning(check, f"zeek {who}: worker {worker} was found and has not said hello yet", remedy)


def clock(report: Report, asked: float, heard: float) -> Iterator[Finding]:
    """Its clock against ours, and its packets against its clock."""
    who, wall, network = name_of(report), number(report.get("wall_time")), number(report.get("network_time"))
    if wall is None:
        yield warning("clock", f"zeek {who} does not tell its time", "install package and eacf of one release")
        return
    apart = max(asked - wall, wall - heard, 0.0)
    if apart > CLOCK_S:
        way = "ahead of" if wall > heard else "behind"
        seen = f"the clock of zeek {who} is {text(round(apart, 1))} s {way} ours"
        yield problem("clock", seen, "keep both machines on NTP (chronyc tracking, timedatectl)")
    else:
        yield ok("clock", f"the clock of zeek {who} agrees with ours")
    if report.get("mode") != "live" or network is None:
        return
    lag = wall - network
    if lag > LAG_S:
        seen = (
            f"the packets of zeek {who} are {text(round(lag, 1))} s old"
            if network > 0
            else f"zeek {who} saw no packet yet"
        )
        remedy = "it lags (CPU, capture loss: stats.log, capture_loss.log) or sees no packets (interface, mirror port)"
        yield warning("packets", seen, remedy)


def needs(report: Report, bundle: Bundle, is_served: bool) -> Iterator[Finding]:
    """Whether it ships as much payload as a bundle needs. `is_served`: a worker on this bus serves it now."""
    wanted, allowed = bundle.needs.payload_bytes, count(report.get("max_payload"))
    shipped = count(at(report, "needs", "payload_bytes")) if is_served else allowed
    if wanted == 0 or shipped is None:
        return
    who = name_of(report)
    if shipped >= wanted:
        yield ok("payload", f"zeek {who} ships the {wanted:,} bytes of payload that bundle {bundle.id} needs")
        return
    limit = f" (EACF::max_payload = {allowed:,})" if allowed is not None and allowed < wanted else ""
    seen = f"zeek {who} ships {shipped:,} bytes of payload{limit}, bundle {bundle.id} needs {wanted:,}"
    if is_served:
        yield problem("payload", f"{seen}: each flow is refused", RAISE)
    else:
        yield warning("payload", f"{seen}: served here, it would refuse each flow", RAISE)


def closes(report: Report) -> Finding:
    """Whether its account closes."""
    of = account(report)
    seen = f"zeek {name_of(report)}: {of}: {of.verdict}"
    if of.gap == 0:
        return ok("account", seen)
    return problem("account", seen, "this is a bug: please report it with `eacf status --json` and eacf_stats.log")


def traffic(report: Report) -> Iterator[Finding]:
    """Whether it saw any TLS at all."""
    who, up = name_of(report), number(report.get("up_s"))
    if count(report.get("collected")) != 0 or report.get("mode") != "live" or up is None or up < WARM_S:
        return
    excluded = count(report.get("excluded")) or 0
    if excluded:
        remedy = "look at EACF::ignore_subnets, ignore_ports, sample_one_in and at hooks of EACF::collect_policy"
        yield warning("traffic", f"zeek {who} left alone all {excluded:,} TLS connections, by policy", remedy)
    else:
        remedy = (
            "is ssl.log empty too? Then the interface shows no TLS, or only one direction, or checksums are offloaded (zeek -C, "
            "ignore_checksums, ethtool -K IFACE rx off); else only short or QUIC connections came, which give no sample"
        )
        yield warning("traffic", f"zeek {who} is up for {text(round(up))} s and took up no TLS connection", remedy)


def losses(report: Report) -> Iterator[Finding]:
    """Flows without a label, verdicts that were wrong, and lines of conn.log without their label."""
    who = name_of(report)
    parts = (
        ("no label", report, WITHOUT_VERDICT, "flows ended as"),
        ("verdicts", report.get("verdicts"), VERDICT_ERRORS, "verdicts counted as"),
        ("conn.log", report.get("delayed"), DELAYED, "lines counted as"),
    )
    clean = True
    for check, counters, remedies, what in parts:
        for name, remedy in remedies.items():
            found = count(at(counters, name))
            if found:
                clean = False
                yield warning(check, f"zeek {who}: {found:,} {what} {name}", remedy)
    answered = count(report.get("abstained"))
    if answered and count(report.get("labelled")) == 0:
        remedy = (
            "nothing is broken: the model knows none of this traffic. The shipped one knows the testbed alone; train one on your "
            "own network's"
        )
        yield warning("no label", f"zeek {who}: all {answered:,} answers were `abstained`", remedy)
    if clean:
        yield ok("verdicts", f"zeek {who}: each flow got its verdict in time, and none was wrong")
