"""What a turn asks models, what it writes, and what it refuses before it trains; test_update.py and test_loop.py train in earnest."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eacf import bundle
from eacf.errors import SettingError
from eacf.flow import Sample
from eacf.inference import Model
from eacf.recording import Journal, line
from eacf.wire import flow_topic
from eacf_trainer.calibrate import softmax
from eacf_trainer.watch import parent, turn, update
from eacf_trainer.watch.home import ORDER, RESULT, RUN, SHIPPED, TAKEN, parent_of
from eacf_trainer.watch.parent import Parent
from eacf_trainer.watch.settings import Settings, Update
from eacf_trainer.watch.update import Candidate, Samples
from tests.trainer.watch.conftest import Flow, fill, flows, table

ONE_EPOCH = Update(epochs=1, folds=0)


@pytest.fixture(scope="module")
def testbed() -> Parent:
    return parent.read(parent.find("testbed"))


@pytest.fixture(scope="module")
def made(testbed: Parent) -> Candidate:
    """Hardly trained: a label that is new, others of which there is nothing."""
    given: list[Flow] = [*flows(150, 60, ("chat", "video"))]
    given += [("telemetry", f"10.1.0.{n % 9}", (220 + n % 7, -90, 37)) for n in range(45)]
    learnt, held = given[::2] + given[-45:], given[1:-45:2]
    return update.train(testbed, taken(learnt), taken(held), ONE_EPOCH, 3)


def taken(given: Sequence[Flow]) -> Samples:
    return Samples(table(given), [label for label, _, _ in given], [client for _, client, _ in given])


def sample(number: int, records: Sequence[int], name: str | None = None) -> Sample:
    client, server = IPv4Address("10.0.0.1"), IPv4Address("198.51.100.7")
    return Sample(f"C{number:017d}", number, client, 40_000, server, 443, name, b"", [], list(records))


def order(tmp_path: Path, **settings: Any) -> turn.Order:
    return turn.Order(
        turn=1,
        reason="samples",
        alarms={},
        parent=str(SHIPPED / "testbed"),
        database=str(tmp_path / "samples.db"),
        released_before_ns=2**62,
        last=10_000,
        accepted=0,
        learnt=0,
        created="2026-11-25T00:00:00Z",
        settings=Settings(**{"update": ONE_EPOCH, **settings}).document(),
    )


def asked(model: Model, given: Sequence[Flow]) -> tuple[np.ndarray, list[str | None], list[str | None]]:
    """What a worker would say: probabilities, and for each the label that it says, if any."""
    samples = [sample(number, records) for number, (_, _, records) in enumerate(given)]
    verdicts = model.verdicts(samples)
    return model.scores(samples), [each.label for each in verdicts], [each.confidence for each in verdicts]


@pytest.mark.parametrize("name", ["testbed", "public"])
def test_a_parent_is_asked_as_a_worker_would_ask_it(name: str) -> None:
    given = [each for each in flows(130, 61) if each[2]]
    scores = turn.scores(parent.read(parent.find(name)), table(given))
    wanted, said, confidence = asked(Model(bundle.load(bundle.find(name))), given)
    assert wanted.shape == scores.logits.shape
    assert softmax(scores.logits) == pytest.approx(wanted, abs=1e-5)
    assert [str(best) if spoken else None for best, spoken in zip(scores.best, scores.said, strict=True)] == said
    assert scores.confidence == pytest.approx(np.array(confidence, float), abs=1e-3)


def test_nothing_asked_is_nothing_said(testbed: Parent, made: Candidate) -> None:
    for model in (testbed, made):
        scores = turn.scores(model, table([]))
        assert scores.logits.shape == (0, len(model.labels) + 1)
        assert len(scores.best) == len(scores.said) == len(scores.confidence) == 0


def test_both_models_cost_something(testbed: Parent, made: Candidate) -> None:
    first, second = turn.costs(testbed, made)
    assert first.size_kb == len(testbed.model) / 1000
    assert second.size_kb == len(made.model) / 1000
    for cost in (first, second):
        assert 0 < cost.us_per_flow < 10_000
        assert cost.size_kb > 10


def test_a_run_folder_is_read_back_and_written_again_the_same(made: Candidate, tmp_path: Path) -> None:
    lineage = {"parent": made.parent.id, "window": {"first": None, "last": None, "samples": 5}, "gate": None}

    def saved(name: str) -> str:
        rules = {"*.telemetry.example": "telemetry"}
        return turn.save(made, tmp_path / name, lineage=lineage, rules=rules, created="2026-11-25T00:00:00Z")

    written = saved("one")
    found = parent.read(tmp_path / "one")
    assert (found.id, found.labels, found.model) == (written, made.labels, made.model)
    assert found.labels[-1] == "telemetry"
    assert found.features.spec() == made.features.spec()
    assert all(np.array_equal(*each) for each in zip(found.weights, made.weights.values(), strict=True))
    assert np.array_equal(found.ranges, made.ranges)
    assert np.array_equal(found.calibration.thresholds, made.calibration.thresholds)
    assert np.array_equal(found.calibration.known, made.calibration.known)
    assert (found.mu, found.sd, found.seed, found.recipe) == (made.mu, made.sd, 3, made.parent.recipe)
    assert parent_of(tmp_path / "one") == made.parent.id
    assert saved("two") == written
    files = {path.name: path.read_bytes() for path in (tmp_path / "one").iterdir()}
    assert files == {path.name: path.read_bytes() for path in (tmp_path / "two").iterdir()}
    assert {*TAKEN, "testbed.eacf", "versions.json"} == set(files)
    # Over a folder that is there, as when a turn is done again.
    (tmp_path / "two" / "weights.npz").write_bytes(b"half")
    assert saved("two") == written
    assert (tmp_path / "two" / "weights.npz").read_bytes() == files["weights.npz"]


def test_a_candidate_is_asked_as_its_bundle_would_be(made: Candidate, tmp_path: Path) -> None:
    turn.save(made, tmp_path, lineage={})
    given = [each for each in flows(60, 62) if each[2]]
    scores = turn.scores(made, table(given))
    wanted, said, _ = asked(Model(bundle.load(tmp_path / "testbed.eacf")), given)
    assert softmax(scores.logits) == pytest.approx(wanted, abs=1e-5)
    assert [str(best) if spoken else None for best, spoken in zip(scores.best, scores.said, strict=True)] == said


@pytest.mark.parametrize("there", [False, True])
def test_a_golden_file_that_cannot_be_read_is_told_before_anything_is_trained(tmp_path: Path, there: bool) -> None:
    fill(tmp_path / "samples.db", flows(40, 63))
    golden = tmp_path / "golden.jsonl"
    if there:
        golden.write_text('{"no": "flow"}\n')
    clock = turn.Clock()
    with pytest.raises(SettingError, match=f"golden {golden}: .*name a recording"):
        turn.work(order(tmp_path, golden=str(golden), labels="testbed"), tmp_path, clock)
    assert "train" not in clock.seconds
    assert not (tmp_path / RUN).exists()


def test_golden_samples_of_known_labels_are_judged_and_the_others_are_not(tmp_path: Path) -> None:
    fill(tmp_path / "samples.db", flows(120, 64))
    with Journal(tmp_path / "golden.jsonl") as journal:
        for number, (label, _, records) in enumerate(flows(40, 65, background=0.0)):
            name = f"www.{label}.example" if number % 4 else "www.example.net"
            journal.add(line(flow_topic("0" * 12), "zeek", "eacf.zeek.none", sample(number, records, name)))
        journal.flush()
    golden = str(tmp_path / "golden.jsonl")
    found = turn.work(order(tmp_path, golden=golden, labels="testbed"), tmp_path, turn.Clock())
    (check,) = [each for each in found["judgement"]["checks"] if each["name"] == "golden"]
    assert check["text"].startswith("30 golden samples: ")
    assert found["judgement"]["serving"]["golden"] > 0.8
    assert found["judgement"]["candidate"]["us_per_flow"] > 0
    assert found["lineage"]["gate"] == {
        "macro_f1": found["judgement"]["candidate"]["macro_f1"],
        "parent_macro_f1": found["judgement"]["serving"]["macro_f1"],
        "p": found["judgement"]["p"],
        "judged": found["judgement"]["judged"],
    }
    told = found["samples"]
    assert told["learnt"] + told["calibrating"] + told["judged"] == told["samples"]
    held = bundle.load(tmp_path / RUN / "testbed.eacf")
    assert (held.id, held.manifest.training["lineage"]) == (found["bundle"], found["lineage"])


@pytest.mark.slow
def test_a_process_leaves_what_was_wrong_as_its_result(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    (work / ORDER).write_text(json.dumps(asdict(order(tmp_path))))
    child = subprocess.Popen([sys.executable, "-m", "eacf_trainer.watch.turn", str(work)], stdin=subprocess.PIPE)
    assert child.wait(120) == 0
    found = json.loads((work / RESULT).read_bytes())
    assert (found["accepted"], found["bundle"], found["turn"]) == (False, None, 1)
    assert "samples.db" in found["error"]
    assert "settings" not in found
