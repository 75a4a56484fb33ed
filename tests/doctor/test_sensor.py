"""What a Zeek reports, one thing wrong at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from eacf import bundle
from eacf.doctor import Finding, sensor
from eacf.flow import Needs

Make = Callable[..., dict[str, Any]]


def look(report: dict[str, Any], *present: str) -> Iterator[Finding]:
    now = time.time()
    return sensor.look(report, present, now - 1.0, now + 1.0)


def troubles(report: dict[str, Any], *present: str) -> list[tuple[str, str]]:
    found = [each for each in look(report, *present) if each.state != "ok"]
    assert all(each.remedy for each in found)
    return [(each.check, each.state) for each in found]


def test_a_healthy_zeek(zeek_report: Make) -> None:
    found = list(look(zeek_report(), "0123456789ab"))
    assert [each.check for each in found] == ["zeek", "its workers", "clock", "account", "verdicts"]
    assert {(each.state, each.remedy) for each in found} == {("ok", "")}
    assert "Zeek 8.0.10, package 0.1.0, contract 1, ZEROMQ, live, standalone" in found[0].seen
    assert all("zeek-1" in each.seen for each in found)


@pytest.mark.parametrize(
    ("fields", "trouble", "remedy"),
    [
        ({"contract": 2}, ("zeek", "problem"), "contract 1"),
        ({"contract": None}, ("zeek", "problem"), "contract 1"),
        ({"zeek": "7.2.0"}, ("zeek", "problem"), "8.0"),
        ({"backend": "Broker"}, ("zeek", "problem"), "ZeroMQ"),
        ({"package": "0.0.9"}, ("zeek", "warning"), "zkg upgrade"),
        ({"workers": []}, ("its workers", "problem"), "eacf worker"),
        ({"wall_time": 1e9, "network_time": 1e9}, ("clock", "problem"), "NTP"),
        ({"wall_time": time.time() + 3600, "network_time": time.time() + 3600}, ("clock", "problem"), "NTP"),
        ({"wall_time": None}, ("clock", "warning"), "release"),
        ({"network_time": 1e9}, ("packets", "warning"), "interface"),
        ({"network_time": 0.0}, ("packets", "warning"), "interface"),
        ({"collected": 1_235}, ("account", "problem"), "report it"),
        ({"timed_out": 4, "pending": 0}, ("no label", "warning"), "EACF::verdict_timeout"),
        ({"no_worker": 4, "pending": 0}, ("no label", "warning"), "systemd"),
        ({"shed": 4, "pending": 0}, ("no label", "warning"), "EACF::sample_one_in"),
        ({"refused": 4, "pending": 0}, ("no label", "warning"), "EACF::max_payload"),
        ({"labelled": 0, "abstained": 1_230}, ("no label", "warning"), "train one"),
        ({"verdicts": {"stranger": 1}}, ("verdicts", "warning"), "who else"),
        ({"verdicts": {"malformed": 1}}, ("verdicts", "warning"), "release"),
        ({"verdicts": {"late": 1}}, ("verdicts", "warning"), "EACF::verdict_timeout"),
        ({"verdicts": {"twice": 1}}, ("verdicts", "warning"), "two workers"),
        ({"verdicts": {"unasked": 1}}, ("verdicts", "warning"), "node id"),
        ({"delayed": {"conn_log_late": 1}}, ("conn.log", "warning"), "EACF::conn_log_max_delay"),
        ({"delayed": {"conn_log_overflow": 1}}, ("conn.log", "warning"), "EACF::conn_log_max_delayed"),
    ],
)
def test_one_thing_wrong_is_one_finding(
    fields: dict[str, Any], trouble: tuple[str, str], remedy: str, zeek_report: Make
) -> None:
    report = zeek_report(**fields)
    assert troubles(report) == [trouble]
    (found,) = [each for each in look(report) if each.state != "ok"]
    assert remedy in found.remedy
    assert "zeek-1" in found.seen


def test_clocks_are_held_against_the_time_of_question_and_answer(zeek_report: Make) -> None:
    def state(wall: float) -> str:
        (found,) = sensor.clock(zeek_report(wall_time=wall, network_time=wall), 1000.0, 1003.0)
        return found.state

    # Said at some moment between the question and the answer; a second more either way is allowed.
    assert [state(wall) for wall in (998.5, 999.5, 1001.5, 1003.5, 1004.5)] == ["problem", "ok", "ok", "ok", "problem"]
    (behind,) = sensor.clock(zeek_report(wall_time=990.0, network_time=990.0), 1000.0, 1003.0)
    assert "10.0 s behind ours" in behind.seen
    (ahead,) = sensor.clock(zeek_report(wall_time=1010.0, network_time=1010.0), 1000.0, 1003.0)
    assert "7.0 s ahead of ours" in ahead.seen


def test_a_capture_has_no_wall_clock_of_its_own(zeek_report: Make) -> None:
    assert troubles(zeek_report(mode="capture", network_time=1e9)) == []


def test_a_worker_in_the_eyes_of_zeek(zeek_report: Make) -> None:
    def worker(name: str, state: str) -> dict[str, Any]:
        return {"worker": name, "model": "m", "unanswered": 9, "sent": 9, "answered": 0, "state": state}

    hung = list(sensor.serving(zeek_report(workers=[worker("a", "ready"), worker("b", "hung")]), ["a"]))
    assert [each.state for each in hung] == ["ok", "problem"]
    assert "set worker b aside" in hung[1].seen
    assert "state T" in hung[1].remedy
    alone = list(sensor.serving(zeek_report(workers=[worker("b", "hung")]), []))
    assert [each.state for each in alone] == ["problem"]
    fresh = list(sensor.serving(zeek_report(workers=[worker("a", "greeting")]), ["a"]))
    assert [each.state for each in fresh] == ["problem", "warning"]
    (unseen,) = sensor.serving(zeek_report(workers=[worker("b", "gone")]), ["a"])
    assert (unseen.state, "though a answered us" in unseen.seen) == ("problem", True)


def test_payload_that_a_bundle_needs(zeek_report: Make) -> None:
    shipped = bundle.load(bundle.default_path())
    assert list(sensor.needs(zeek_report(), shipped, True)) == []  # it works on record lengths

    class Wants(bundle.Bundle):
        needs = Needs()

    wants = Wants(shipped.manifest, shipped.model, shipped.source)
    (refused,) = sensor.needs(zeek_report(max_payload=0), wants, True)
    assert (refused.state, "ships 0 bytes" in refused.seen, "needs 3,000" in refused.seen) == ("problem", True, True)
    assert "EACF::max_payload = 0" in refused.seen
    assert "EACF::max_payload" in refused.remedy
    enough = zeek_report(needs={"payload_bytes": 3000, "window_bytes": 3000, "records": 0, "chunks": True})
    assert [each.state for each in sensor.needs(enough, wants, True)] == ["ok"]
    # Not served now: what Zeek ships to others says nothing, what it may ship does.
    assert [each.state for each in sensor.needs(zeek_report(), wants, False)] == ["ok"]
    assert [each.state for each in sensor.needs(zeek_report(max_payload=0), wants, False)] == ["warning"]
    assert list(sensor.needs(zeek_report(max_payload=None), wants, False)) == []


def test_a_zeek_that_takes_up_nothing(zeek_report: Make) -> None:
    none = dict.fromkeys(("collected", "labelled", "abstained", "pending"), 0)
    (blind,) = sensor.traffic(zeek_report(**none, excluded=0))
    assert "took up no TLS connection" in blind.seen
    assert "ssl.log" in blind.remedy
    (strict,) = sensor.traffic(zeek_report(**none, excluded=77))
    assert "left alone all 77" in strict.seen
    assert "EACF::collect_policy" in strict.remedy
    for early in (zeek_report(**none, up_s=5.0), zeek_report(**none, mode="capture"), zeek_report()):
        assert list(sensor.traffic(early)) == []


def test_nothing_of_a_wrong_type_raises(zeek_report: Make) -> None:
    names = list(zeek_report())
    for value in (None, 3, -1, "\x1b[2J", [1, {"state": []}], {"late": "x"}, float("inf"), 10**400, True):
        for report in (zeek_report(**{name: value}) for name in names if name != "kind"):
            found = list(look(report))
            assert found
            assert all(each.seen.isprintable() and each.remedy.isprintable() for each in found)
    assert list(look({"kind": "zeek"}))
