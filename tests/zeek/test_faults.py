"""Whole-process faults on a real Zeek: whatever happens, its account closes to the flow, and it lives on."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from eacf.verdict import Verdict
from eacf.wire import encode_verdicts


def well(outcome: Any) -> None:
    """The account closes, and Zeek ended by itself."""
    assert outcome.status == 0, outcome.words
    assert outcome.closes, (outcome.account, outcome.outcomes)


def test_a_worker_is_killed_under_load(faults: ModuleType, load: Path, tmp_path: Path) -> None:
    outcome = faults.worker_killed(tmp_path, load)
    well(outcome)
    seen = outcome.outcomes
    assert len({line["worker"] for line in outcome.lines if "worker" in line}) == 2  # both took their share
    assert seen["timed_out"] + seen["no_worker"] > 0  # while there was none
    assert seen["labelled"] + seen["abstained"] > 800


@pytest.mark.slow
def test_a_worker_is_stopped_for_half_a_minute(faults: ModuleType, tmp_path: Path) -> None:
    capture = faults.make_capture(tmp_path / "long.pcap", connections=2000, seconds=40)
    outcome = faults.worker_stopped(tmp_path / "site", capture)
    well(outcome)
    stopped = outcome.outcomes["timed_out"]
    assert 0 < stopped <= 512
    # What was not lost with the stopped one was answered, by the healthy one for the most part; the first flows came before either.
    answered = outcome.outcomes["labelled"] + outcome.outcomes["abstained"]
    assert answered + stopped + outcome.outcomes["no_worker"] == outcome.account["collected"]
    assert outcome.outcomes["no_worker"] < 100
    assert outcome.account["late"] == stopped  # it answered all of them once it went on
    assert [each for each in outcome.log("notice") if each["note"] == "EACF::Worker_Hung"]


def test_a_worker_gets_a_bundle_with_other_needs(
    faults: ModuleType, load: Path, payload_bundle: Path, tmp_path: Path
) -> None:
    outcome = faults.worker_replaced(tmp_path, load, payload_bundle)
    well(outcome)
    models = {line["model"] for line in outcome.lines if "model" in line}
    assert len(models) == 2
    before = [line for line in outcome.lines if line.get("payload_bytes") == 0 and line["records"]]
    after = [line for line in outcome.lines if line["payload_bytes"] > 0 and "label" in line]
    assert before
    assert after
    assert outcome.outcomes["timed_out"] == 0


def test_a_second_worker_joins_and_the_first_leaves(faults: ModuleType, load: Path, tmp_path: Path) -> None:
    outcome = faults.workers_come_and_go(tmp_path, load)
    well(outcome)
    assert len({line["worker"] for line in outcome.lines if "worker" in line}) == 2
    assert outcome.outcomes["timed_out"] == 0  # it served what it had before it went
    assert outcome.outcomes["shed"] == 0


def test_a_tap_that_hangs_costs_nothing(faults: ModuleType, load: Path, tmp_path: Path) -> None:
    outcome = faults.tap_hangs(tmp_path, load)
    well(outcome)
    assert outcome.outcomes["labelled"] + outcome.outcomes["abstained"] + outcome.outcomes["no_worker"] == len(
        outcome.lines
    )


def test_a_flood_fills_the_sockets(faults: ModuleType, load: Path, tmp_path: Path) -> None:
    outcome = faults.sockets_filled(tmp_path, load)
    well(outcome)
    assert outcome.account["unasked"] > 1000


def test_zeek_is_ended_in_mid_load(faults: ModuleType, load: Path, tmp_path: Path) -> None:
    outcome = faults.zeek_terminated(tmp_path, load)
    assert outcome.closes, (outcome.account, outcome.outcomes)
    assert outcome.account["collected"] < 1600


def test_a_node_of_a_cluster_dies(faults: ModuleType, load: Path, tmp_path: Path) -> None:
    outcome = faults.cluster_worker_dies(tmp_path, load)
    well(outcome)
    assert outcome.outcomes["labelled"] + outcome.outcomes["abstained"] > 800
    assert {each["node"] for each in outcome.log("eacf_stats")} == {"worker-1"}


def test_stray_verdicts_are_counted_by_kind(faults: ModuleType, load: Path, tmp_path: Path) -> None:
    with faults.Site(tmp_path) as site:
        site.start_zeek(load, "EACF::verdict_timeout=500msec")
        with site.peer(topics=()) as (peer, topic):
            worker = site.start_worker()
            site.wait_for_flows(50)
            log = tmp_path / "eacf.log"
            site.wait_for(
                lambda: b'"worker"' in log.read_bytes(), 60
            )  # the first lines may be from before there was one
            uid = next(line["uid"] for line in map(json.loads, log.read_text().splitlines()) if "worker" in line)
            model = "0" * 12
            peer.send(topic, encode_verdicts(model, [Verdict("Cnobody", "x", 0.5, model)] * 3))
            peer.send(topic, encode_verdicts(model, [Verdict(uid, "x", 0.5, model)] * 2))
            worker.kill()
        outcome = site.end()
    well(outcome)
    assert outcome.account["unasked"] == 3
    assert outcome.account["twice"] == 2
    assert not [line for line in outcome.lines if line.get("label") == "x"]


def test_ten_thousand_messages_that_no_event_takes(faults: ModuleType, load: Path, tmp_path: Path) -> None:
    """Zeek's serialiser refuses them and says so; flows are labelled as before."""
    with faults.Site(tmp_path) as site:
        site.start_zeek(load)
        site.start_worker()
        site.wait_for_flows(50)
        body = encode_verdicts("0" * 12, [Verdict("C", "x", 0.5, "0" * 12)])
        broken = (body[:-3], body.replace(b"EACF::verdicts", b"EACF::verdictz"), b"", b"\x00" * 40)
        with site.peer() as (peer, topic):
            for number in range(10_000):
                while not peer.send(topic, broken[number % len(broken)]):
                    peer.wait(0.01)
        outcome = site.end()
    well(outcome)
    assert outcome.outcomes["labelled"] + outcome.outcomes["abstained"] > 1000
    assert outcome.account["stranger"] == outcome.account["malformed"] == 0
