"""Captures: what the collector reads out of them is what was put in."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import dpkt
import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.neighbors import NearestCentroid
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from eacf.collector import collect
from eacf.errors import SettingError
from eacf.flow import Needs
from eacf_trainer.testbed import APPS, LABEL_MAP, Truth, generate

RECORDS = Needs(payload_bytes=0, records=8, chunks=False)


@pytest.mark.parametrize("conditions", ["lan", "mobile", "lossy", "mixed"])
def test_the_collector_reads_what_was_written(tmp_path: Path, conditions: str) -> None:
    capture = tmp_path / "capture.pcap"
    truths = generate(capture, seed=77, connections=80, conditions=conditions)
    found = {(str(s.orig_h), s.orig_p): s for s in (each.sample for each in collect(capture, RECORDS))}
    assert len(found) == len(truths) == 80
    for truth in truths:
        sample = found[truth.orig_h, truth.orig_p]
        assert tuple(sample.records) == truth.records[:8]
        assert sample.server_name == truth.server_name
        assert abs(sample.start_ns / 1e9 - truth.start_s) < 0.5


def test_the_same_seed_gives_the_same_lengths_and_times(tmp_path: Path) -> None:
    first, second, other = tmp_path / "first.pcap", tmp_path / "second.pcap", tmp_path / "other.pcap"
    truths = generate(first, seed=5, connections=40)
    generate(other, seed=6, connections=40)  # what a process has made before must not matter
    assert generate(second, seed=5, connections=40) == truths
    assert timing(first) == timing(second)
    assert timing(first) != timing(other)


def test_another_process_writes_the_same_lengths_and_times(tmp_path: Path) -> None:
    here, there = tmp_path / "here.pcap", tmp_path / "there.pcap"
    generate(here, seed=7, connections=40)
    command = [sys.executable, "-m", "eacf_trainer.testbed", str(there), "--seed", "7", "--connections", "40"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    assert timing(here) == timing(there)
    assert here.read_bytes() != there.read_bytes()  # keys are new


def timing(capture: Path) -> list[tuple[float, int]]:
    with capture.open("rb") as file:
        return [(when, len(data)) for when, data in dpkt.pcap.Reader(file)]


def test_a_packet_limit_is_exact_and_noise_is_in(tmp_path: Path) -> None:
    capture = tmp_path / "capture.pcap"
    generate(capture, seed=8, packet_limit=3_000)
    with capture.open("rb") as file:
        frames = [dpkt.ethernet.Ethernet(data) for _, data in dpkt.pcap.Reader(file)]
    assert len(frames) == 3_000
    protocols = Counter(type(frame.data.data).__name__ for frame in frames)
    assert protocols["UDP"] > 10
    assert protocols["TCP"] > 2_000


def test_every_application_occurs_and_names_tell_which(tmp_path: Path) -> None:
    truths = generate(tmp_path / "capture.pcap", seed=9, connections=200)
    assert {truth.app for truth in truths} == set(APPS)
    for truth in truths:
        if truth.server_name:
            assert truth.server_name.endswith(next(rule for rule, app in LABEL_MAP.items() if app == truth.app))
    assert {truth.version for truth in truths} == {"1.2", "1.3"}
    assert any(truth.resumed for truth in truths)


def test_nobody_can_tell_background_by_its_name(tmp_path: Path) -> None:
    truths = generate(tmp_path / "capture.pcap", seed=10, connections=30, background_share=1.0)
    assert {truth.app for truth in truths} == {"background"}
    assert not any((truth.server_name or "").endswith(tuple(LABEL_MAP)) for truth in truths)


@pytest.mark.parametrize(
    "wrong", [{"kinds": ["telnet"]}, {"conditions": "warp"}, {"packet_limit": 9}, {"connections": 0}]
)
def test_wrong_arguments_are_named(tmp_path: Path, wrong: dict[str, object]) -> None:
    with pytest.raises(SettingError, match=r"telnet|warp|connections or how many packets"):
        generate(tmp_path / "capture.pcap", **({"seed": 1, "connections": 3} | wrong))
    assert not (tmp_path / "capture.pcap").exists()


@pytest.mark.slow
def test_lengths_tell_applications_apart_but_no_mean_does(tmp_path: Path) -> None:
    """Held out: other seeds, other sites, other path conditions."""
    train = [(seed, "training", path) for seed, path in enumerate(["dsl", "fibre", "lan", "mobile"] * 2, 1)]
    test = [(seed, "evaluation", path) for seed, path in enumerate(["lossy", "satellite", "mixed"], 1001)]
    rows, labels = table(tmp_path, train)
    held_rows, held_labels = table(tmp_path, test)
    mean = make_pipeline(StandardScaler(), NearestCentroid()).fit(rows, labels).score(held_rows, held_labels)
    trees = ExtraTreesClassifier(300, random_state=0).fit(rows, labels).score(held_rows, held_labels)
    assert mean < 0.80
    assert trees > 0.90


def table(folder: Path, captures: list[tuple[int, str, str]]) -> tuple[np.ndarray, list[str]]:
    truths: list[Truth] = []
    for seed, sites, path in captures:
        truths += generate(folder / "one.pcap", seed=seed, connections=500, sites=sites, conditions=path)
    rows = [[*truth.records[:8], *[0] * (8 - len(truth.records[:8]))] for truth in truths]
    return np.array(rows), [truth.app for truth in truths]
