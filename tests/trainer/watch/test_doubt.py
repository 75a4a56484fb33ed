from __future__ import annotations

import numpy as np

from eacf_trainer.watch import doubt

RNG = np.random.default_rng(3)
COUNT = 600
TRUTH = RNG.integers(0, 3, COUNT)
NUMBERS = (TRUTH[:, None] * 100 + RNG.normal(0, 15, (COUNT, 4))).astype(np.float32)
EVEN = np.ones(COUNT, np.float32)
RULE = {"own": 0.2, "other": 0.6}


def test_wrong_names_are_found_and_right_ones_stay() -> None:
    wanted = TRUTH.copy()
    lied = RNG.permutation(COUNT)[:30]
    wanted[lied] = (wanted[lied] + 1) % 3
    found = doubt.contradicted(NUMBERS, wanted, EVEN, 1, most=0.2, **RULE)
    assert found[lied].mean() > 0.9
    assert np.delete(found, lied).mean() < 0.005


def test_no_more_than_a_share_of_a_label_goes() -> None:
    wanted = TRUTH.copy()
    moved = np.flatnonzero(TRUTH == 1)[:20]
    wanted[moved] = 0
    found = doubt.contradicted(NUMBERS, wanted, EVEN, 1, most=0.05, **RULE)
    assert found[wanted == 0].sum() == int(0.05 * (wanted == 0).sum())


def test_nobody_contradicts_among_few_or_of_one_label() -> None:
    assert not doubt.contradicted(NUMBERS[:20], TRUTH[:20], EVEN[:20], 1, most=1.0, **RULE).any()
    assert not doubt.contradicted(NUMBERS, np.zeros(COUNT, np.int64), EVEN, 1, most=1.0, **RULE).any()


def test_a_label_that_the_others_do_not_know_is_not_contradicted() -> None:
    wanted = np.where(TRUTH == 2, 7, (TRUTH + 1) % 2)
    known = TRUTH < 2
    shown = NUMBERS[known], TRUTH[known].astype(np.int64), EVEN[known]
    found = doubt.doubted(shown, NUMBERS, wanted.astype(np.int64), 1, **RULE)
    assert found[TRUTH < 2].mean() > 0.9
    assert not found[TRUTH == 2].any()
    assert not doubt.doubted(shown, NUMBERS[:0], wanted[:0].astype(np.int64), 1, **RULE).any()
