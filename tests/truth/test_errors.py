"""What river's ADWIN makes of exams: an alarm where a model errs more often, and none on a steady stream."""

from __future__ import annotations

import random
import subprocess
import sys

import pytest

from eacf.truth.errors import DELTA, ENOUGH, MAX_CLIENTS, SLOT_S, Errors, adwin_class


def feed(errors: Errors, rng: random.Random, rate: float, exams: int, begun: float, clients: int = 200) -> int | None:
    """Exams that come evenly, all clients in each slot; after how many it was worse first, None: never."""
    first = None
    for at in range(exams):
        errors.add(at % clients, rng.random() < rate, begun + (at // clients) * SLOT_S)
        if errors.worse and first is None:
            first = at
    return first


@pytest.mark.parametrize("rate", [0.0, 0.03, 0.2, 0.6])
def test_a_steady_stream_is_no_drift(rate: float) -> None:
    for seed in range(3):
        errors = Errors()
        assert feed(errors, random.Random(seed), rate, 20_000, 0.0) is None
        assert errors.seen[1] == pytest.approx(rate, abs=0.03)


@pytest.mark.parametrize(("before", "after"), [(0.05, 0.3), (0.2, 0.5), (0.0, 0.15)])
def test_a_rise_is_a_drift_until_it_is_over(before: float, after: float) -> None:
    for seed in range(3):
        errors, rng = Errors(), random.Random(seed)
        assert feed(errors, rng, before, 5_000, 0.0) is None
        found = feed(errors, rng, after, 3_000, 1e6)
        assert found is not None
        assert ENOUGH <= found < 1500
        assert errors.usual == pytest.approx(before, abs=0.03)
        assert errors.seen[1] == pytest.approx(after, abs=0.04)
        feed(errors, rng, before, 5_000, 2e6)
        assert not errors.worse


def test_answers_that_repeat_are_no_drift() -> None:
    """A client that asks the same thing again gets the same answer again, half of the time."""
    for seed in range(3):
        errors, rng = Errors(), random.Random(seed)
        last = [rng.random() < 0.1 for _ in range(50)]
        for at in range(20_000):
            client = at % 50
            if rng.random() < 0.5:
                last[client] = rng.random() < 0.1
            errors.add(client, last[client], (at // 50) * SLOT_S)
            assert not errors.worse


def test_what_gets_better_or_a_little_worse_is_no_drift() -> None:
    errors, rng = Errors(), random.Random(1)
    assert feed(errors, rng, 0.4, 5_000, 0.0) is None
    assert feed(errors, rng, 0.1, 5_000, 1e6) is None
    assert errors.usual is not None
    assert feed(errors, rng, 0.12, 20_000, 2e6) is None


def test_slow_steps_are_held_against_the_best() -> None:
    errors, rng = Errors(), random.Random(1)
    told = [feed(errors, rng, 0.02 + 0.04 * step, 20_000, step * 1e6) for step in range(4)]
    assert told[0] is None
    assert told[3] is not None


def test_a_client_has_one_turn_in_a_while() -> None:
    errors = Errors()
    for at in range(1000):
        errors.add(7, True, at * 0.001)
    assert errors.seen[0] == 1
    errors.add(7, True, SLOT_S)
    errors.add(8, False, SLOT_S)
    assert errors.seen[0] == 3


def test_a_client_that_lies_all_the_time_moves_it_by_its_turn_alone() -> None:
    errors, rng = Errors(), random.Random(1)
    assert feed(errors, rng, 0.05, 4_000, 0.0, clients=50) is None
    for slot in range(100):
        for _ in range(1000):
            errors.add(999, True, 1e6 + slot * SLOT_S)
        for client in range(50):
            errors.add(client, rng.random() < 0.05, 1e6 + slot * SLOT_S)
    assert not errors.worse


def test_the_clients_of_a_moment_are_bounded() -> None:
    errors = Errors()
    for client in range(MAX_CLIENTS + 100):
        errors.add(client, False, 0.0)
    assert errors.seen[0] == MAX_CLIENTS


def test_it_is_rivers_own() -> None:
    from river.drift import ADWIN

    ours, theirs, rng = adwin_class()(delta=DELTA), ADWIN(delta=DELTA), random.Random(1)
    for at in range(5_000):
        error = float(rng.random() < (0.1 if at < 3_000 else 0.4))
        ours.update(error)
        theirs.update(error)
        assert (ours.width, ours.total, ours.drift_detected) == (theirs.width, theirs.total, theirs.drift_detected)


def test_what_is_large_is_not_imported() -> None:
    program = "import sys; from eacf.truth import examiner; examiner._detectors(); print(*sys.modules)"
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert "river" in out
    assert not {"scipy", "pandas", "sklearn", "river.drift"} & set(out)
