"""Whether there is a bus, who is on it, and what each of them reports."""

from __future__ import annotations

import socket
from collections.abc import Iterator

from eacf.bundle import Bundle
from eacf.bus import Endpoints
from eacf.doctor import acting, sensor, worker
from eacf.doctor.finding import Finding, ok, problem
from eacf.errors import BusError
from eacf.reports import is_worker
from eacf.status import Answers, inquire

CONNECT_S = 1.0
"""Loopback answers at once; a bus on another machine takes a little longer."""

START_WORKER = "start one on this bus: `eacf worker`; if one runs, look at its endpoints and its last words"
LOAD_PACKAGE = (
    "put `@load eacf` (or `@load packages`) into local.zeek and restart or deploy; reporter.log says what went wrong. In a "
    "cluster, Zeek must run on the ZeroMQ backend, since the package never switches it"
)


def look(endpoints: Endpoints, bundle: Bundle | None, timeout_s: float) -> Iterator[Finding]:
    """Ask all that listen, and look at what they say. `bundle`: the one that was loaded here."""
    try:
        answers = inquire(endpoints, timeout_s)
    except BusError as error:
        yield unreachable(endpoints) if endpoints.keys is None else behind_relay(endpoints, error)
        return
    yield ok("bus", f"heard both ways at {endpoints.subscribe} and {endpoints.publish}")
    yield from parties(answers, timeout_s)
    reports = answers.reports
    served = {worker.bundle_id(report) for report in reports.values() if is_worker(report)}
    for party, report in reports.items():
        if party.kind == "zeek":
            present = [each.name for each in reports if each.kind == "worker"]
            yield from sensor.look(report, present, answers.asked, answers.heard[party])
            if bundle is not None:
                yield from sensor.needs(report, bundle, bundle.id in served)
            yield from acting.policy(report)
        elif party.kind == "worker":
            yield from worker.look(report)
        elif party.kind == "enforce":
            yield from acting.agent(report)


def unreachable(endpoints: Endpoints) -> Finding:
    """No bus: which of the two ends is missing?"""
    missing = [each for each in (endpoints.subscribe, endpoints.publish) if not listens(each)]
    if len(missing) == 2:
        remedy = (
            "start Zeek with the eacf package: it carries the bus itself. If it runs, reporter.log says why the bus did not come "
            "up; if the bus is elsewhere, say where (--subscribe-endpoint, --publish-endpoint)"
        )
        return problem("bus", f"nothing listens at {missing[0]}, nor at {missing[1]}", remedy)
    if missing:
        remedy = "both are needed, and both are Zeek's (XPUB 5555, XSUB 5556 by default): compare with Zeek's settings"
        return problem("bus", f"nothing listens at {missing[0]}, though the other end is there", remedy)
    remedy = (
        "the two may be exchanged (subscribe is Zeek's XPUB, 5555; publish its XSUB, 5556), or another program holds the "
        "ports (ss -ltnp), or the bus is blocked by a subscriber that was stopped (ps, state T)"
    )
    return problem("bus", "something listens at both ends, and what goes in does not come out", remedy)


def behind_relay(endpoints: Endpoints, error: BusError) -> Finding:
    """No bus where a relay should be: the handshake says why, if anything listens there."""
    missing = [each for each in (endpoints.subscribe, endpoints.publish) if not listens(each)]
    if missing:
        remedy = "start `eacf relay` beside Zeek; if it runs, compare its --listen with our endpoints, and look at firewalls between"
        return problem("bus", f"nothing listens at {' nor at '.join(missing)}", remedy)
    return problem("bus", "no bus behind the relay, or it does not let us in", str(error))


def listens(endpoint: str) -> bool:
    """Whether anything accepts connections there."""
    kind, _, where = endpoint.partition("://")
    try:
        if kind == "ipc":
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as there:
                there.settimeout(CONNECT_S)
                there.connect(where)
        else:
            host, _, port = where.rpartition(":")
            socket.create_connection((host.strip("[]"), int(port)), CONNECT_S).close()
    except (OSError, OverflowError, ValueError):
        return False
    return True


def parties(answers: Answers, timeout_s: float) -> Iterator[Finding]:
    """Who is there, who is not, and who is there and silent."""
    kinds = {party.kind for party in (*answers.reports, *answers.silent)}
    if "worker" not in kinds:
        yield problem("worker", "there is no worker on this bus", START_WORKER)
    if "zeek" not in kinds:
        yield problem("zeek", "there is a bus, and no Zeek process on it has the eacf package loaded", LOAD_PACKAGE)
    for party in answers.silent:
        seen = f"{party} listens on the bus and did not answer within {timeout_s:g} s"
        hint = (
            "look at its CPU and reporter.log"
            if party.kind == "zeek"
            else "if it was stopped, continue it; else restart it"
        )
        yield problem(
            "agent" if party.kind == "enforce" else party.kind,
            seen,
            f"it hangs, or is far behind: {hint}; ask again with a longer --timeout",
        )
