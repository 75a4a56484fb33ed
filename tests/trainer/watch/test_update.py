"""Real trainings, small ones: the shipped model of the testbed goes on from a few hundred connections."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from eacf import bundle
from eacf.errors import SettingError
from eacf.features import Lengths
from eacf_trainer import quantise
from eacf_trainer.testbed import apps
from eacf_trainer.watch import parent, turn, update
from eacf_trainer.watch.home import SHIPPED
from eacf_trainer.watch.parent import Parent
from eacf_trainer.watch.settings import Settings, Update
from eacf_trainer.watch.update import Candidate, Samples
from tests.trainer.watch.conftest import Flow, fill, flows, table, turned

APPS = tuple(apps.APPS)
LEFT_OUT = "video"


@pytest.fixture(scope="module")
def testbed() -> Parent:
    return parent.read(parent.find("testbed"))


def samples(given: Sequence[Flow], new: bool = True) -> Samples:
    return Samples(
        table(given), [label for label, _, _ in given], [client for _, client, _ in given], new=np.full(len(given), new)
    )


def right(model: Candidate | Parent, given: Sequence[Flow]) -> float:
    """Share of known flows whose best label is the right one."""
    known = [each for each in given if each[0] is not None]
    return float(np.mean(turn.scores(model, table(known)).best == np.array([label for label, _, _ in known])))


@pytest.fixture(scope="module")
def others(testbed: Parent) -> Candidate:
    """Learnt from new samples of all labels but one."""
    kinds = tuple(app for app in APPS if app != LEFT_OUT)
    given = flows(700, 1, kinds)
    return update.train(testbed, samples(given[:600]), samples(given[600:]), Update(epochs=10, folds=0), 1)


def test_a_label_without_samples_is_not_forgotten(others: Candidate, testbed: Parent) -> None:
    assert others.kept == (LEFT_OUT,)
    forgotten = flows(120, 2, (LEFT_OUT,), 0.0)
    assert right(others, forgotten) > right(testbed, forgotten) - 0.15
    assert (others.calibration.thresholds[others.labels.index(LEFT_OUT)]) < 1
    # It is handed on: the candidate keeps rows by which its own clone will not forget it.
    number = others.labels.index(LEFT_OUT)
    ends = quantise.inspect(others.model)
    kept = quantise.logits(others.model, ends, others.ranges).argmax(axis=1)
    assert (kept == number).sum() >= 10
    assert len(others.ranges) <= quantise.MAX_CALIBRATION_ROWS


def test_the_candidate_serves(others: Candidate, tmp_path: Path) -> None:
    lineage = {"parent": others.parent.id, "window": {"first": None, "last": None, "samples": 600}, "gate": None}
    bundle_id = turn.save(others, tmp_path / "run", lineage=lineage, created="2026-11-25T00:00:00Z")
    held = bundle.load(tmp_path / "run" / "testbed.eacf")
    assert held.id == bundle_id
    assert held.manifest.training["lineage"] == lineage
    from eacf.inference import Model

    Model(held)  # golden rows and all
    again = parent.read(tmp_path / "run")
    assert again.id == bundle_id
    assert again.labels == others.labels
    asked = table(flows(50, 3))
    assert np.array_equal(turn.scores(again, asked).logits, others.logits(asked))
    assert np.array_equal(turn.scores(again, asked).said, turn.scores(others, asked).said)
    assert json.loads((tmp_path / "run" / "config.json").read_bytes())["lineage"]["parent"] == others.parent.id


def test_the_same_arguments_give_the_same_bytes(testbed: Parent) -> None:
    given = flows(250, 4)
    one, two = (
        update.train(testbed, samples(given[:200]), samples(given[200:]), Update(epochs=1, folds=2), 5)
        for _ in range(2)
    )
    assert one.model == two.model
    # Held-out ones, and those that learnt, asked about by networks that had not learnt from them.
    assert one.learnt < one.calibrated <= 250 - sum(one.dropped.values())
    assert one.document(lineage={}) == two.document(lineage={})


def test_a_label_with_enough_samples_of_enough_clients_is_added(testbed: Parent, tmp_path: Path) -> None:
    known = flows(400, 5)
    new: list[Flow] = [("telemetry", f"10.1.0.{n % 9}", (220 + n % 7, -90, 37, 37, -900 - n % 30)) for n in range(60)]
    rare: list[Flow] = [("rare", f"10.1.0.{n % 9}", (2000, -2000)) for n in range(39)]
    one: list[Flow] = [("shouted", "10.9.9.9", (3000, -3000)) for n in range(60)]
    given = [*known, *new, *rare, *one]
    made = update.train(testbed, samples(given), samples(known[:100]), Update(epochs=10, folds=0), 1)
    assert made.added == ("telemetry",)
    assert made.labels == (*testbed.labels, "telemetry")
    assert right(made, new) > 0.9
    assert right(made, flows(200, 6)) > 0.8
    threshold = made.calibration.thresholds[-1]
    assert 0 < threshold <= 1  # none of it calibrated
    turn.save(made, tmp_path / "run", lineage={}, rules={"*.telemetry.example": "telemetry"})
    assert bundle.load(tmp_path / "run" / "testbed.eacf").sni_label("a.telemetry.example") == "telemetry"


def test_bins_are_learnt_anew_unless_they_shall_stay(testbed: Parent) -> None:
    given = flows(300, 7)
    kept = update.train(testbed, samples(given), samples(given[:50]), Update(epochs=1, folds=0, bins="keep"), 1)
    anew = update.train(testbed, samples(given), samples(given[:50]), Update(epochs=1, folds=0), 1)
    assert isinstance(kept.features, Lengths)
    assert isinstance(anew.features, Lengths)
    assert isinstance(testbed.features, Lengths)
    assert kept.features.edges == testbed.features.edges != anew.features.edges
    assert right(anew, given) > 0.9  # the parent's weights came along


def test_older_samples_that_the_new_ones_contradict_are_left_out(testbed: Parent) -> None:
    given = flows(400, 8)
    older = turned(flows(200, 9))
    both = Samples(
        np.concatenate([table(older), table(given)]),
        [each[0] for each in (*older, *given)],
        [each[1] for each in (*older, *given)],
        new=np.arange(600) >= 200,
    )
    made = update.train(testbed, both, samples(given[:50]), Update(epochs=1, folds=0), 1)
    wrong = sum(label in ("chat", "web-page") for label, _, _ in older)
    assert made.stale > 0.5 * wrong
    assert made.learnt == 600 - made.stale - sum(made.dropped.values())


def test_the_papers_way_learns_from_all_there_is_and_judges_nothing(testbed: Parent, tmp_path: Path) -> None:
    fill(tmp_path / "samples.db", flows(60, 20))
    order = turn.Order(
        turn=3,
        reason="samples",
        alarms={},
        parent=str(SHIPPED / "testbed"),
        database=str(tmp_path / "samples.db"),
        released_before_ns=2**62,
        last=50,
        accepted=10,
        learnt=5,
        created="2026-11-25T00:00:00Z",
        settings=Settings(paper=True, update=Update(epochs=1, folds=0)).document(),
    )
    found = turn.work(order, tmp_path, turn.Clock())
    assert found["learnt_ids"] == list(range(11, 51))  # no sample twice, should it still be there
    assert (found["accepted"], found["judgement"], found["up_to"]) == (True, None, 50)
    assert bundle.load(tmp_path / "run" / "testbed.eacf").id == found["bundle"]


def test_labels_of_another_map_are_told(tmp_path: Path) -> None:
    fill(tmp_path / "samples.db", [("another.example", "10.0.0.1", (100, -100))] * 5)
    order = turn.Order(
        turn=1,
        reason="once",
        alarms={},
        parent=str(SHIPPED / "testbed"),
        database=str(tmp_path / "samples.db"),
        released_before_ns=2**62,
        last=5,
        accepted=0,
        learnt=0,
        created="2026-11-25T00:00:00Z",
        settings=Settings().document(),
    )
    with pytest.raises(
        SettingError, match=r"\(another.example\) is one that the model knows \(api-polling, bulk-upload, chat, ...\)"
    ):
        turn.work(order, tmp_path, turn.Clock())


def test_nothing_to_learn_from_is_told(testbed: Parent) -> None:
    nothing = samples(())
    with pytest.raises(SettingError, match="no sample of a label"):
        update.train(testbed, nothing, nothing)
    background: list[Flow] = [(None, "10.0.0.1", (100, -100))] * 50
    with pytest.raises(SettingError, match="no sample of a label"):
        update.train(testbed, samples(background), nothing)


def test_a_folder_that_is_no_run_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="no run folder of a finished model"):
        parent.read(tmp_path)
