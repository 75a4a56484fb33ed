from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from eacf.collector import collect
from eacf_trainer import captures, samples, testbed
from eacf_trainer.config import Plan


def test_what_is_there_is_not_made_again(plan: Plan, prepared: Any, tmp_path: Path) -> None:
    said: list[str] = []
    folder = tmp_path / "captures"
    shutil.copytree(prepared.work / "captures", folder)
    again = captures.prepare(plan, folder, said.append)
    assert [path.name for path in again["training"]] == [path.name for path in prepared.captures["training"]]
    assert said == []
    lost = samples.recording(again["training"][1].parent, again["training"][1], "stream")
    lost.unlink()
    captures.prepare(plan, folder, said.append)
    assert said == ["training: capture 2 of 3 (seed 2, path lossy, sites training-1)"]
    assert lost.is_file()


def test_paths_and_sites_are_taken_in_turn_and_captures_are_not_kept(prepared: Any) -> None:
    names = [path.name for path in prepared.captures["training"]]
    assert names == [
        "1-lan-training-0-100-0.2.pcap",
        "2-lossy-training-1-100-0.2.pcap",
        "3-lan-training-0-100-0.2.pcap",
    ]
    home = prepared.work / "captures" / captures.source_hash()
    assert {path.parent for paths in prepared.captures.values() for path in paths} == {home}
    assert not list(home.glob("*.pcap"))
    assert len(list(home.glob("*.jsonl.gz"))) == 2 * 6


def test_samples_are_those_of_the_capture_with_that_seed(prepared: Any, flows: Any, tmp_path: Path) -> None:
    capture = tmp_path / "again.pcap"
    testbed.generate(capture, seed=1001, connections=100, conditions="lan", sites="evaluation-0", background_share=0.2)
    for way, needs in samples.CUTS.items():
        again = [each.sample for each in collect(capture, needs) if each.sample.server_name]
        found = flows["evaluation"][way].samples
        assert [(each.server_name, each.records) for each in again] == [
            (each.server_name, each.records) for each in found
        ]


def test_a_change_of_what_makes_samples_asks_for_new_ones(plan: Plan, tmp_path: Path, monkeypatch: Any) -> None:
    first = captures.source_hash()
    assert len(bytes.fromhex(first)) == 6
    for module in (testbed, captures.collector):
        copy = tmp_path / module.__name__
        shutil.copytree(Path(module.__file__).parent, copy)
        monkeypatch.setattr(module, "__file__", str(copy / "__init__.py"))
        assert captures.source_hash() == first
        changed = next(path for path in sorted(copy.rglob("*.py")) if path.name != "__init__.py")
        changed.write_text(changed.read_text() + "\n")
        assert captures.source_hash() != first
        monkeypatch.undo()
    monkeypatch.setattr(captures.ssl, "OPENSSL_VERSION", "OpenSSL 9")
    assert captures.source_hash() != first


def test_the_summary_counts_flows(plan: Plan, flows: Any) -> None:
    document = captures.summary(plan, flows)["captures"]
    for purpose, seeds in (("training", 3), ("validation", 2), ("evaluation", 1)):
        entry = document[purpose]
        for way in ("records", "stream"):
            counted = entry["flows"][way] + entry["background_flows"][way]
            assert counted == len(flows[purpose][way])
            assert 0.8 * 100 * seeds < counted <= 100 * seeds  # a few have no server name
            assert 0 < entry["background_flows"][way] < entry["flows"][way]
    assert document["validation"]["seeds"] == [801, 802]
    bigger = captures.summary(replace(plan, training=replace(plan.training, seeds=(4,))), flows)
    assert bigger["captures"]["training"]["seeds"] == [4]
