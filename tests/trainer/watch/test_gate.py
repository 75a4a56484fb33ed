from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from eacf_trainer.calibrate import Calibration
from eacf_trainer.watch.gate import Cost, Golden, Judgement, Scores, calibration_error, judge, macro_f1
from eacf_trainer.watch.settings import Gate

LABELS = ("a", "b", "c")
CLIENTS = [f"10.0.0.{number % 40}" for number in range(600)]
TRUTH: list[str | None] = [LABELS[number % 3] for number in range(600)]


def scores(said: Sequence[str], labels: Sequence[str] = LABELS, sure: float = 4.0, threshold: float = 0.0) -> Scores:
    """A model that says this, with a background output that never wins."""
    logits = np.zeros((len(said), len(labels) + 1), np.float32)
    for row, label in enumerate(said):
        logits[row, list(labels).index(label)] = sure
    logits[:, -1] = -9
    count = len(labels)
    return Scores(tuple(labels), logits, Calibration(1.0, 0.0, np.full(count, threshold), np.zeros(count)))


def wrong_every(step: int, truth: Sequence[str | None] = TRUTH) -> list[str]:
    """The truth, but one in `step` is another label."""
    return [
        LABELS[(LABELS.index(label or "a") + 1) % 3] if number % step == 0 else label or "a"
        for number, label in enumerate(truth)
    ]


def failed(found: Judgement) -> set[str]:
    return {check.name for check in found.checks if not check.passed}


def test_a_better_candidate_is_accepted() -> None:
    found = judge(scores(wrong_every(4)), scores(wrong_every(20)), TRUTH, CLIENTS)
    assert found.accepted, found.reasons
    assert found.p < 0.01
    assert found.gain[0] > 0.05
    assert found.drawn == "clients"
    assert (found.judged, found.clients) == (600, 40)


def test_the_same_model_is_not_better_than_itself() -> None:
    found = judge(scores(wrong_every(10)), scores(wrong_every(10)), TRUTH, CLIENTS)
    assert failed(found) == {"better"}
    assert found.p == 1.0


def test_a_little_better_is_not_enough_by_the_test() -> None:
    found = judge(scores(wrong_every(10)), scores([*wrong_every(10)[:1], *wrong_every(10)[1:]]), TRUTH, CLIENTS)
    assert not found.accepted
    one = wrong_every(10)
    one[0] = TRUTH[0] or ""
    found = judge(scores(wrong_every(10)), scores(one), TRUTH, CLIENTS)
    assert failed(found) == {"better"}
    assert (found.candidate["macro_f1"] or 0) > (found.serving["macro_f1"] or 0)


def test_flows_of_one_client_are_no_independent_witnesses() -> None:
    # All of the gain is at two of forty clients.
    before = wrong_every(10)
    after = [TRUTH[n] or "" if CLIENTS[n] in ("10.0.0.0", "10.0.0.10") else said for n, said in enumerate(before)]
    by_client = judge(scores(before), scores(after), TRUTH, CLIENTS)
    alone = judge(scores(before), scores(after), TRUTH, [str(number) for number in range(600)])
    assert by_client.p > 3 * alone.p


def test_few_clients_are_drawn_by_flow() -> None:
    found = judge(scores(wrong_every(4)), scores(wrong_every(20)), TRUTH, ["10.0.0.1"] * 600)
    assert found.drawn == "flows"
    assert found.clients == 1


def test_too_few_samples_decide_nothing() -> None:
    found = judge(scores(wrong_every(2)[:90]), scores([t or "" for t in TRUTH[:90]]), TRUTH[:90], CLIENTS[:90])
    assert failed(found) == {"enough"}


def test_one_label_must_not_pay_for_the_others() -> None:
    after = [("b" if label == "c" and number % 5 == 0 else label or "") for number, label in enumerate(TRUTH)]
    before = [("b" if label == "a" and number % 2 == 0 else label or "") for number, label in enumerate(TRUTH)]
    found = judge(scores(before), scores(after), TRUTH, CLIENTS, Gate(label_loss=0.05))
    assert failed(found) == {"labels"}
    assert any(reason.startswith("c loses most") for reason in found.reasons)
    assert judge(scores(before), scores(after), TRUTH, CLIENTS, Gate(label_loss=0.3)).accepted


def test_a_label_that_only_the_candidate_knows_counts_for_both() -> None:
    serving = scores(["b" if label == "c" else label or "" for label in TRUTH], labels=("a", "b"))
    found = judge(serving, scores([label or "" for label in TRUTH]), TRUTH, CLIENTS)
    assert found.accepted
    assert found.labels["c"]["serving"] == 0.0
    assert found.serving["macro_f1"] == pytest.approx((1 + 2 / 3) / 3, abs=1e-4)


def test_a_label_that_nobody_knows_counts_as_none() -> None:
    strange: list[str | None] = ["strange" if number % 10 == 0 else label for number, label in enumerate(TRUTH)]
    found = judge(scores(wrong_every(4)), scores(wrong_every(20)), strange, CLIENTS)
    assert (found.judged, found.unknown) == (540, 60)
    assert "strange" not in found.labels


def test_a_candidate_that_falls_silent_is_refused() -> None:
    silent = scores(wrong_every(20), threshold=1.0)
    found = judge(scores(wrong_every(4)), silent, TRUTH, CLIENTS)
    assert "abstention" in failed(found)
    assert found.candidate["abstained"] == 1.0


def test_fewer_answers_are_fine_where_more_of_them_are_right() -> None:
    # The serving model answers everything, wrongly for the most part.
    before = scores(
        [LABELS[(LABELS.index(label or "a") + (number % 4 != 0)) % 3] for number, label in enumerate(TRUTH)]
    )
    after = scores([label or "" for label in TRUTH])
    half = np.where((np.arange(600) % 5 < 2)[:, None], after.logits, after.logits / 8)
    quiet = Scores(LABELS, half.astype(np.float32), replace(after.calibration, thresholds=np.full(3, 0.9)))
    found = judge(before, quiet, TRUTH, CLIENTS)
    assert found.candidate["abstained"] == pytest.approx(0.6)
    assert "abstention" not in failed(found)


def test_a_wrong_answer_costs_what_a_right_one_gains() -> None:
    """The serving model answers all, a third of it wrongly; the candidate keeps silent on more than half and errs nowhere else."""
    before = scores(wrong_every(3))
    after = scores([label or "" for label in TRUTH])

    def speaking_on(share: int) -> Scores:
        muted = np.where((np.arange(600) % 20 < share)[:, None], after.logits, after.logits / 8).astype(np.float32)
        return Scores(LABELS, muted, replace(after.calibration, thresholds=np.full(3, 0.9)))

    found = judge(before, speaking_on(9), TRUTH, CLIENTS)  # 45 % right, against 67 % less 33 %
    assert found.candidate["abstained"] == pytest.approx(0.55)
    assert found.candidate["said_right"] < found.serving["said_right"]
    assert "abstention" not in failed(found)
    assert "abstention" in failed(judge(before, speaking_on(6), TRUTH, CLIENTS))  # 30 %


def test_confidence_must_keep_its_word() -> None:
    boaster = scores(wrong_every(3), sure=12.0)
    found = judge(scores(wrong_every(2), sure=1.0), boaster, TRUTH, CLIENTS)
    assert "calibration" in failed(found)


def test_flows_of_no_label_must_not_get_one() -> None:
    truth = [*TRUTH, *[None] * 100]
    clients = [*CLIENTS, *CLIENTS[:100]]
    before = scores([*wrong_every(4), *["a"] * 100])
    refusing = before.logits.copy()
    refusing[600:, -1] = 20
    quiet = Scores(LABELS, refusing, replace(before.calibration, known=np.full(3, 0.5)))
    found = judge(quiet, scores([*wrong_every(20), *["a"] * 100]), truth, clients)
    assert failed(found) == {"unknown"}
    assert found.unknown == 100


def test_latency_and_size_have_budgets() -> None:
    sides = scores(wrong_every(4)), scores(wrong_every(20))
    found = judge(*sides, TRUTH, CLIENTS, costs=(Cost(50, 100), Cost(120, 3000)))
    assert failed(found) == {"latency", "size"}
    assert judge(*sides, TRUTH, CLIENTS, costs=(Cost(90, 100), Cost(120, 1999))).accepted


def test_golden_samples_must_not_get_worse() -> None:
    sides = scores(wrong_every(4)), scores(wrong_every(20))
    golden = Golden(["a"] * 10, scores(["a"] * 10), scores(["a"] * 9 + ["b"]))
    assert failed(judge(*sides, TRUTH, CLIENTS, golden=golden)) == {"golden"}
    assert judge(*sides, TRUTH, CLIENTS, Gate(golden_loss=0.1), golden=golden).accepted
    nothing = Golden([], scores([]), scores([]))
    assert failed(judge(*sides, TRUTH, CLIENTS, golden=nothing)) == {"golden"}


def test_nothing_judged_is_nothing_accepted() -> None:
    found = judge(scores([]), scores([]), [], [])
    assert {"enough", "better"} <= failed(found)


def test_macro_f1_and_calibration_error_by_hand() -> None:
    truth, said = np.array(["a", "a", "b"]), np.array(["a", "b", "b"])
    assert macro_f1(truth, said) == pytest.approx((2 / 3 + 2 / 3) / 2)
    assert calibration_error(np.array([0.85, 0.85, 0.25]), np.array([True, False, False])) == pytest.approx(
        2 / 3 * 0.35 + 1 / 3 * 0.25
    )
