from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from eacf_trainer.watch.parts import hashed, parts, replay
from eacf_trainer.watch.settings import Samples

LABELS = ["a", "b", None, "a"]


def labels(count: int) -> list[str | None]:
    return [LABELS[number % 4] for number in range(count)]


@given(st.integers(0, 3000), st.integers(0, 3000), st.integers(0, 3000))
def test_no_sample_has_two_parts_and_the_newest_judge(count: int, accepted: int, learnt: int) -> None:
    ids = np.arange(1, count + 1)
    found = parts(ids, labels(count), Samples(), accepted=accepted, learnt=min(learnt, accepted))
    every = np.concatenate([found.learnt, found.calibrating, found.judged])
    assert len(set(every.tolist())) == len(every)
    if len(found.judged):
        assert found.judged.tolist() == list(range(int(found.judged[0]), count))
        assert (ids[found.judged] > accepted).all()


def test_a_fifth_of_the_labelled_samples_of_the_window_judges() -> None:
    found = parts(np.arange(1, 2001), labels(2000), Samples(), accepted=1000)
    judges = [labels(2000)[place] for place in found.judged]
    assert sum(label is not None for label in judges) == 150  # of 750 that have a label
    assert len(judges) == 200


def test_what_calibrates_never_trains_however_the_window_moves() -> None:
    held = set(np.flatnonzero(hashed(np.arange(1, 5001)) < 0.1).tolist())
    for accepted in (0, 1000, 2000, 4000):
        found = parts(np.arange(1, 5001), labels(5000), Samples(), accepted=accepted, learnt=accepted)
        assert not held & set(found.learnt.tolist())
        assert set(found.calibrating.tolist()) <= held
    assert 400 < len(held) < 600


def test_what_judged_an_accepted_update_is_new_to_the_next_one() -> None:
    first = parts(np.arange(1, 1001), labels(1000), Samples())
    learnt = int(first.learnt[-1]) + 1
    second = parts(np.arange(1, 2001), labels(2000), Samples(), accepted=1000, learnt=learnt)
    new = set(second.learnt[second.new].tolist())
    assert new & set(first.judged.tolist())
    assert not new & set(first.learnt.tolist())


def test_replay_takes_the_newest_of_each_label_and_more_of_what_is_rare_now() -> None:
    names: list[str | None] = [*["a", "b"] * 100, *["gone"] * 100, *["a", "b"] * 50]
    fresh, older = np.arange(300, 400), np.arange(300)
    found = replay(fresh, older, names, 1.0, 10_000)
    taken = [names[place] for place in found]
    assert taken.count("a") == taken.count("b") == 50
    assert taken.count("gone") == 100  # as many as a usual label has in all
    assert min(place for place in found if names[place] == "a") == 100


def test_replay_keeps_to_the_room_there_is() -> None:
    names: list[str | None] = [*["a"] * 500, *["b"] * 10]
    assert len(replay(np.arange(0), np.arange(510), names, 1.0, 100)) == 100
    assert len(replay(np.arange(0), np.arange(510), names, 0.0, 100)) == 0
