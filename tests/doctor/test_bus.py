"""A real bus with real peers on it, in each state that one finds it in at night."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from eacf import bundle
from eacf.bus import EmbeddedBus, Endpoints, Peer
from eacf.doctor import Finding, bus
from eacf.wire import enforce_topic, flow_topic, verdict_topic

Make = Callable[..., dict[str, Any]]
PretendZeek = Callable[[Endpoints, dict[str, Any]], AbstractContextManager[None]]


def look(endpoints: Endpoints, timeout_s: float = 1.0) -> list[Finding]:
    found = list(bus.look(endpoints, bundle.load(bundle.default_path()), timeout_s))
    assert all(bool(each.remedy) == (each.state != "ok") for each in found)
    return found


def troubles(found: list[Finding]) -> list[tuple[str, str]]:
    return [(each.check, each.state) for each in found if each.state != "ok"]


def test_no_bus_at_all() -> None:
    (found,) = look(Endpoints("ipc:///nowhere/a", "tcp://127.0.0.1:1"))
    assert (found.check, found.state) == ("bus", "problem")
    assert found.seen == "nothing listens at ipc:///nowhere/a, nor at tcp://127.0.0.1:1"


def test_half_a_bus(tmp_path: Path) -> None:
    with EmbeddedBus() as there:
        (found,) = look(Endpoints(there.endpoints.subscribe, "ipc:///nowhere/b"))
    assert (found.state, found.seen) == (
        "problem",
        "nothing listens at ipc:///nowhere/b, though the other end is there",
    )


def test_ends_that_are_exchanged_or_no_bus() -> None:
    with EmbeddedBus() as there:
        (found,) = look(Endpoints(there.endpoints.publish, there.endpoints.subscribe))
    assert (found.state, "does not come out" in found.seen) == ("problem", True)
    assert "exchanged" in found.remedy
    with socket.create_server(("127.0.0.1", 0)) as server:
        where = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        (found,) = look(Endpoints(where, where))
    assert "another program" in found.remedy


def test_an_empty_bus() -> None:
    with EmbeddedBus() as there:
        found = look(there.endpoints)
    assert found[0].state == "ok"
    assert troubles(found) == [("worker", "problem"), ("zeek", "problem")]
    assert "eacf worker" in found[1].remedy
    assert "@load eacf" in found[2].remedy


def test_zeek_without_a_worker(pretend_zeek: PretendZeek, zeek_report: Make) -> None:
    with EmbeddedBus() as there, pretend_zeek(there.endpoints, zeek_report(workers=[])):
        found = look(there.endpoints, 20.0)
    assert troubles(found) == [("worker", "problem"), ("its workers", "problem")]


def test_those_who_listen_and_say_nothing(pretend_zeek: PretendZeek, zeek_report: Make) -> None:
    with (
        EmbeddedBus() as there,
        Peer(there.endpoints, "deaf", [flow_topic("f" * 12), verdict_topic("deaf")]),
        pretend_zeek(there.endpoints, zeek_report()),
    ):
        found = look(there.endpoints)
    assert troubles(found) == [("worker", "problem"), ("zeek", "problem")]
    silent = [each for each in found if each.state == "problem"]
    assert ["f" * 12 in silent[0].seen, "deaf" in silent[1].seen] == [True, True]
    assert all("did not answer within 1 s" in each.seen for each in silent)


def test_an_agent_is_no_worker(pretend_zeek: PretendZeek, zeek_report: Make) -> None:
    acts = {"policy_file": "/etc/eacf/policy.toml", "mode": "act", "agents": [], "done": {}}
    with (
        EmbeddedBus() as there,
        Peer(there.endpoints, "deaf", [enforce_topic("f" * 12)]),
        pretend_zeek(there.endpoints, zeek_report(workers=[], acts=acts)),
    ):
        found = look(there.endpoints)
    assert troubles(found) == [
        ("worker", "problem"), ("agent", "problem"), ("its workers", "problem"), ("policy", "warning"),
    ]  # fmt: skip
    assert "f" * 12 in found[2].seen


@pytest.mark.parametrize(
    "endpoint", ["tcp://127.0.0.1:1", "tcp://[::1]:1", "tcp://127.0.0.1:99999", "ipc:///nowhere", "ipc://" + "x" * 300]
)
def test_where_nothing_listens(endpoint: str) -> None:
    assert not bus.listens(endpoint)
