"""What leaves a real Zeek, what comes back, and what it makes of it; with workers whose every word the test chooses."""

from __future__ import annotations

import itertools
import json
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from eacf import bundle
from eacf.collector import ALL, Selection, collect
from eacf.flow import Needs, Sample
from eacf.verdict import Verdict
from eacf.wire import encode, encode_verdicts
from eacf.wire.values import Count, Value

RECORDS = Needs(payload_bytes=0, window_bytes=0, records=8, chunks=False)
MODEL = "0" * 12
ODD = "pcaps/odd"
DTLS = (
    "arkime+arkime/tests/pcap/wireshark-dtls12.pcap",
    "zeek+zeek/testing/btest/Traces/tls/dtls1_2.pcap",
    "zeek+zeek/testing/btest/Traces/tls/dtls13-wolfssl.pcap",
)


@pytest.fixture(scope="session")
def brief(faults: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A capture of 300 connections over three seconds, to be read as live traffic."""
    return Path(
        faults.make_capture(tmp_path_factory.mktemp("brief") / "brief.pcap", connections=300, seconds=3, seed=7003)
    )


Run = Callable[..., Any]


@pytest.fixture
def run(faults: ModuleType, pretender: ModuleType, tmp_path: Path) -> Run:
    """Runs Zeek over a capture beside workers that a test made up; how it ended."""

    def through(capture: Path, workers: list[Any], *settings: str, realtime: bool = False, script: str = "") -> Any:
        with faults.Site(tmp_path / "site") as site:
            if script:
                (tmp_path / "more.zeek").write_text(script)
                settings = (str(tmp_path / "more.zeek"), *settings)
            site.start_zeek(capture, *settings, realtime=realtime)
            pretender.serve(site.endpoints, site.zeek, workers)
            outcome = site.end()
        assert outcome.status == 0, outcome.words
        assert outcome.closes, (outcome.account, outcome.outcomes)
        return outcome

    return through


def told(samples: Iterable[Sample]) -> Counter[str]:
    """What must be equal, of each sample; the uid differs by nature."""
    return Counter(str([getattr(each, name) for name in Sample.__slots__ if name != "uid"]) for each in samples)


def collected(capture: Path, needs: Needs, selection: Selection = ALL) -> Counter[str]:
    """What our own collector makes of the capture."""
    return told(each.sample for each in collect(capture, needs, selection=selection))


# What leaves Zeek.


def test_no_payload_leaves_for_the_bundle_that_is_shipped(run: Run, pretender: ModuleType, small: Path) -> None:
    worker = pretender.Pretender(bundle.load(bundle.default_path()).needs)
    run(small, [worker])
    assert len(worker.samples) > 50
    assert all(each.payload == b"" and each.chunks == [] for each in worker.samples)
    said = b"".join(worker.messages)
    assert not [each for each in collect(small) if each.sample.payload[:8] in said]


@pytest.mark.parametrize("needs", [RECORDS, Needs(), Needs(200, 700, 5, True), Needs(0, 3000, 0, True)], ids=str)
def test_samples_are_those_of_our_collector(run: Run, pretender: ModuleType, small: Path, needs: Needs) -> None:
    worker = pretender.Pretender(needs)
    outcome = run(small, [worker])
    assert len(worker.samples) > 50
    assert told(worker.samples) == collected(small, needs)
    assert {line["label"] for line in outcome.lines} == {"video"}
    assert max(len(each.payload) for each in worker.samples) == needs.payload_bytes


BOTH_THERE = """
global there = 0;
event zeek_init() { suspend_processing(); }
event EACF::worker_up(worker: string, model: string) { if ( ++there == 2 ) continue_processing(); }
"""


@pytest.mark.parametrize(
    ("one", "other", "union"),
    [
        (Needs(1000, 1200, 5, True), Needs(200, 2000, 9, True), Needs(1000, 2000, 9, True)),
        (Needs(200, 2000, 30, True), RECORDS, Needs(200, 2000, 30, True)),
        (RECORDS, Needs(0, 0, 3, False), RECORDS),
    ],
    ids=["both the stream", "stream and records", "both records"],
)
def test_of_two_workers_the_larger_needs_count(
    run: Run, pretender: ModuleType, small: Path, one: Needs, other: Needs, union: Needs
) -> None:
    workers = [pretender.Pretender(one), pretender.Pretender(other)]
    run(small, workers, script=BOTH_THERE)
    assert all(each.samples for each in workers)
    assert told(sample for each in workers for sample in each.samples) == collected(small, union)


def test_sampling_chooses_as_our_collector_does(run: Run, pretender: ModuleType, small: Path) -> None:
    worker = pretender.Pretender(RECORDS)
    outcome = run(small, [worker], "EACF::sample_one_in=3")
    assert 10 < len(worker.samples) < 50
    assert told(worker.samples) == collected(small, RECORDS, Selection(sample_one_in=3))
    assert outcome.account["excluded"] > len(worker.samples)


@pytest.mark.parametrize("needs", [RECORDS, Needs()], ids=["records", "stream"])
@pytest.mark.parametrize("name", DTLS)
def test_datagrams_are_not_ours(run: Run, pretender: ModuleType, shared: Path, name: str, needs: Needs) -> None:
    capture = shared / ODD / name
    if not capture.exists():
        pytest.skip(f"{capture} is not there")
    worker = pretender.Pretender(needs)
    outcome = run(capture, [worker])
    assert worker.samples == []
    assert outcome.account["collected"] == 0
    assert [line for line in outcome.log("ssl") if "DTLS" in line.get("version", "")]


# Payload is forbidden.


def test_a_model_on_payload_refuses_where_none_may_leave(
    faults: ModuleType, small: Path, payload_bundle: Path, tmp_path: Path
) -> None:
    with faults.Site(tmp_path) as site:
        site.start_zeek(small, "EACF::max_payload=0", realtime=False)
        site.start_worker("worker", "--bundle", str(payload_bundle), wait=False)
        outcome = site.end()
    assert outcome.closes
    assert outcome.account["refused"] == outcome.account["collected"] > 50
    assert {line["payload_bytes"] for line in outcome.lines} == {0}


def test_payload_is_forbidden_while_zeek_runs(
    faults: ModuleType, pretender: ModuleType, brief: Path, tmp_path: Path
) -> None:
    settings = tmp_path / "eacf.dat"
    settings.write_text("EACF::max_payload 3000\n")
    script = tmp_path / "more.zeek"
    script.write_text(f'redef Config::config_files += {{ "{settings}" }};\n')
    worker = pretender.Pretender(Needs())
    with faults.Site(tmp_path / "site") as site:
        site.start_zeek(brief, str(script))
        pretender.serve(site.endpoints, site.zeek, [worker], lambda: len(worker.samples) > 30)
        assert all(each.payload for each in worker.samples)
        # Zeek knows a change by time, to the second, or by inode.
        (tmp_path / "next.dat").write_text("EACF::max_payload 0\n")
        (tmp_path / "next.dat").replace(settings)
        pretender.serve(site.endpoints, site.zeek, [worker])
        outcome = site.end()
    assert outcome.closes
    assert worker.samples[-1].payload == b""
    assert worker.samples[-1].chunks
    assert [line["new_value"] for line in outcome.log("config") if line["id"] == "EACF::max_payload"][-1] == "0"


# What comes back.


HOSTILE: list[tuple[Value, Value, Value, Value]] = [
    # label, confidence, reason, sni_label
    (b"\x1b]0;owned\x07", 0.5, None, None),
    (b"two\nlines\t#fields", 0.5, None, None),
    (b"a" * 65, 0.5, None, None),
    (b"", 0.5, None, None),
    (b"owned", float("nan"), None, None),
    (b"owned", 2.0, None, None),
    (b"owned", -0.1, None, None),
    (b"owned", float("inf"), None, None),
    (b"owned", 0.5, b"abstained", None),
    (b"owned", 0.5, None, b"a" * 65),
    (b"owned", 0.5, None, b"\x00"),
    (None, 0.5, None, None),
    (None, 0.5, b"shed", None),
    (None, 0.5, b"\x1b[2J", None),
]
"""Answers that none may be, each of which Broker can carry."""


def given(cases: Iterable[tuple[Value, Value, Value, Value]]) -> Callable[[str, list[Sample]], list[bytes]]:
    """Answers with these, one after the other."""
    cases = iter(cases)

    def answers(worker: str, samples: list[Sample]) -> list[bytes]:
        verdicts = []
        for sample in samples:
            label, confidence, reason, sni_label = next(cases)
            verdicts.append((sample.uid.encode(), label, confidence, MODEL.encode(), reason, sni_label))
        event = (b"EACF::verdicts", (worker.encode(), tuple(verdicts)))
        return [encode((Count(1), Count(1), event))]

    return answers


def test_hostile_verdicts_are_counted_and_in_no_log(run: Run, pretender: ModuleType, small: Path) -> None:
    worker = pretender.Pretender(RECORDS, bodies=given(itertools.cycle(HOSTILE)))
    outcome = run(small, [worker], "EACF::verdict_timeout=500msec")
    assert outcome.account["timed_out"] == outcome.account["collected"] == len(worker.samples) > 50
    assert outcome.account["malformed"] == len(worker.samples)
    for log in outcome.folder.glob("*.log"):
        text = log.read_text()
        for word in ("owned", "a" * 65, "\x1b", "\\u001b", "two"):
            assert word not in text, (log, word)


def test_no_byte_of_a_label_steers_a_terminal(run: Run, pretender: ModuleType, small: Path) -> None:
    """The C1 controls and what is no UTF-8: written as Zeek writes such bytes of a packet, if at all."""
    labels: list[tuple[Value, Value, Value, Value]] = [
        ("\x9b31m".encode(), 0.5, None, None),
        (b"owned\xff", 0.5, None, b"\x9b31m"),
    ]
    worker = pretender.Pretender(RECORDS, bodies=given(itertools.cycle(labels)))
    outcome = run(small, [worker], "EACF::verdict_timeout=500msec")
    for log in outcome.folder.glob("*.log"):
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", log.read_text(encoding="utf-8", errors="strict"))
    assert len(outcome.lines) == len(worker.samples) > 50


def test_a_good_label_is_written_as_it_is(run: Run, pretender: ModuleType, small: Path) -> None:
    label = "voix & vidéo"
    outcome = run(small, [pretender.Pretender(RECORDS, label=label)])
    assert {(line["label"], line["confidence"], line["model"]) for line in outcome.lines} == {(label, 0.75, MODEL)}
    assert {line["eacf_label"] for line in outcome.log("conn") if "eacf_label" in line} == {label}


def test_a_worker_that_never_answers(run: Run, pretender: ModuleType, small: Path) -> None:
    worker = pretender.Pretender(RECORDS, label=None)
    outcome = run(small, [worker], "EACF::verdict_timeout=1sec")
    assert outcome.account["timed_out"] == outcome.account["collected"] == len(worker.samples) > 50
    assert not [line for line in outcome.log("conn") if "eacf_label" in line]


LISTENS = """
global out = open("told");
hook acted(info: EACF::Info, is_open: bool) { print out, "acted", info$uid; }
redef EACF::actions += { ["video"] = acted };
event EACF::classified(info: EACF::Info, is_open: bool) { print out, is_open ? "open" : "over", info$uid; }
hook EACF::collect_policy(c: connection) { if ( c$id$resp_p == 993/tcp ) break; }
"""


def test_scripts_are_told_of_each_flow(run: Run, pretender: ModuleType, small: Path) -> None:
    def every_third_abstains(worker: str, samples: list[Sample]) -> list[bytes]:
        said = [
            Verdict(each.uid, None, 0.1, MODEL, "abstained")
            if each.orig_p % 3 == 0
            else Verdict(each.uid, "video" if each.orig_p % 3 == 1 else "chat", 0.9, MODEL)
            for each in samples
        ]
        return [encode_verdicts(worker, said)]

    worker = pretender.Pretender(RECORDS, bodies=every_third_abstains)
    outcome = run(small, [worker], "EACF::gather_flows=1", script=LISTENS)
    lines = [line.split(", ") for line in (outcome.folder / "told").read_text().splitlines()]
    heard = {kind: sorted(uid for other, uid in lines if other == kind) for kind in ("acted", "open", "over")}
    assert sorted(heard["open"] + heard["over"]) == sorted(line["uid"] for line in outcome.lines)
    assert heard["open"]
    assert heard["over"]
    assert heard["acted"] == sorted(line["uid"] for line in outcome.lines if line.get("label") == "video")
    assert heard["acted"]
    assert outcome.account["excluded"] > 0
    assert 993 not in {line["id.resp_p"] for line in outcome.lines}


# conn.log.


@pytest.mark.parametrize(
    ("setting", "counted"),
    [("EACF::conn_log_max_delayed=1", "conn_log_overflow"), ("EACF::conn_log_max_delay=300msec", "conn_log_late")],
)
def test_lines_of_conn_log_that_cannot_wait_are_counted(
    run: Run, pretender: ModuleType, brief: Path, setting: str, counted: str
) -> None:
    worker = pretender.Pretender(RECORDS, delay_s=0.8)
    outcome = run(brief, [worker], setting, realtime=True)
    lost = outcome.account[counted]
    assert lost > 10
    assert outcome.account["conn_log_overflow"] + outcome.account["conn_log_late"] == lost
    labelled = {line["uid"] for line in outcome.lines if "label" in line}
    kept = {line["uid"] for line in outcome.log("conn") if "eacf_label" in line}
    assert kept < labelled
    assert len(outcome.log("conn")) == len({line["uid"] for line in outcome.log("conn")})  # each line once
    assert lost <= len(labelled - kept) <= lost + outcome.account["timed_out"] + 1


# Both ends.


def test_both_ends_agree_in_status_and_doctor_is_content(
    faults: ModuleType, brief: Path, repository: Path, tmp_path: Path
) -> None:
    zeekpath = subprocess.run(["zeek-config", "--zeekpath"], capture_output=True, text=True, check=True).stdout.strip()
    with faults.Site(tmp_path) as site:
        site.start_zeek(brief, "exit_only_after_terminate=T")
        site.start_worker()
        environment = site.environment | {"ZEEKPATH": f"{repository}/tests/zeek/btest/site:{zeekpath}"}

        def ask(command: str) -> list[dict[str, Any]]:
            done = subprocess.run(
                [sys.executable, "-m", "eacf", command, "--json"],
                env=environment,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert done.returncode == 0, done.stdout + done.stderr
            return [json.loads(line) for line in done.stdout.splitlines()]

        site.wait_for_flows(250)
        site.wait_for(lambda: quiet(ask("status")))
        reports = {"zeek" if "kind" in each else "worker": each for each in ask("status")}
        findings = ask("doctor")
        site.zeek.send_signal(signal.SIGTERM)
        outcome = site.end()

    zeek, worker = reports["zeek"], reports["worker"]
    assert zeek["collected"] == sum(zeek[each] for each in faults.OUTCOMES) + zeek["pending"] >= 250
    (peer,) = zeek["workers"]
    assert peer["worker"] == worker["worker"]
    assert peer["model"] == worker["bundle"]["id"]
    assert peer["sent"] == worker["flows_in"] == zeek["labelled"] + zeek["abstained"]
    assert peer["answered"] == worker["verdicts_out"] == peer["sent"]
    assert zeek["abstained"] == worker["abstained"]
    assert zeek["needs"] == asdict(bundle.load(bundle.default_path()).needs)
    assert outcome.closes
    assert "EACF::No_Worker" not in {each["note"] for each in outcome.log("notice")}
    states = {each["check"]: each["state"] for each in findings}
    assert "problem" not in states.values()
    assert {states[each] for each in ("zeek", "zeek package", "bus", "worker", "clock", "account")} == {"ok"}


def quiet(reports: list[dict[str, Any]]) -> bool:
    """Both answer, all has been said, nothing is in the making."""
    zeek = next((each for each in reports if "kind" in each), None)
    return len(reports) == 2 and zeek is not None and zeek["pending"] == 0 and zeek["held"] <= 2
