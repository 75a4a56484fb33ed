from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eacf.errors import BundleError
from eacf.models.lineage import Gate, Lineage, Window
from eacf.models.reading import read
from eacf.models.state import MAX_HISTORY, MAX_KEYS, REPORTED, Kept, State

A, B, C, D = (character * 12 for character in "abcd")
OPS, DEV = "0" * 16, "1" * 16


def kept(model_id: str) -> Kept:
    return Kept(model_id, "tiny", "1", "2025-01-31T12:00:00Z", OPS, 1, None)


def stored(*ids: str) -> State:
    state = State()
    for model_id in ids:
        state = state.add(kept(model_id), 1000)
    return state


def ids(state: State) -> list[str]:
    return [each.id for each in state.kept]


def test_back_and_back_again() -> None:
    state = stored(A, B, C)
    for model_id in (A, B, C):
        state = state.serve(model_id, None, "", 0)
    assert (state.serving, state.before) == (C, B)
    state = state.rollback(None, None, "", 0)
    assert (state.serving, state.before) == (B, A)
    state = state.rollback(None, None, "", 0)
    assert (state.serving, state.before) == (A, None)
    with pytest.raises(BundleError, match="no model served before this one"):
        state.rollback(None, None, "", 0)
    state = state.rollback(C, None, "", 0)  # to any kept one, be it newer
    assert (state.serving, state.before) == (C, B)
    state = state.serve(A, None, "", 0)
    assert (state.serving, state.before) == (A, C)
    assert [step.model for step in state.history] == [A, C, A, B, C, B, A]


def test_back_to_what_the_settings_say() -> None:
    state = stored(A, B).with_setting(A)
    with pytest.raises(BundleError, match="no model served before"):
        state.rollback(None, None, "", 0)
    state = state.serve(B, (OPS, 5), "", 0)
    assert (state.serving, state.before) == (B, A)
    assert state.rollback(None, None, "", 0).serving == A
    assert ids(stored(A).with_setting(A).add(kept(B), 2).add(kept(C), 2)) == [C, A]  # it serves
    state = stored(A, B).with_setting(A).serve(B, None, "", 0).serve(B, (OPS, 1), "", 0)
    state = state.add(kept(C), 10).serve(C, None, "", 0).add(kept(D), 3)
    assert (ids(state), state.setting) == ([D, C, B], None)  # it served long ago


def test_serving_what_serves_changes_nothing_but_the_serial() -> None:
    state = stored(A, B).serve(A, None, "", 0).serve(B, (OPS, 5), "", 0)
    assert state.serve(B, None, "", 0) is state
    assert state.serve(B, (OPS, 5), "", 0) is state  # told again, since it was not heard that it was done
    later = state.serve(B, (OPS, 6), "", 0)
    assert (later.serving, later.before, later.serials) == (B, A, {OPS: 6})


def test_an_old_serial_is_refused_each_key_for_itself() -> None:
    state = stored(A, B).serve(A, (OPS, 5), "", 0).serve(B, (OPS, 6), "", 0)
    for by in ((OPS, 5), (OPS, 6), (OPS, 1)):
        for change in (lambda by: state.serve(A, by, "", 0), lambda by: state.score(A, by, "", 0)):
            with pytest.raises(BundleError, match=rf"serial {by[1]} of key {OPS} is not above 6"):
                change(by)
    assert state.serve(A, (DEV, 1), "", 0).serials == {OPS: 6, DEV: 1}
    assert state.serve(A, None, "", 0).serials == {OPS: 6}
    with pytest.raises(BundleError, match="is not above 6"):
        state.rollback(A, (OPS, 6), "", 0)
    assert state.rollback(None, (OPS, 7), "", 0).serving == A


def test_a_model_that_is_not_kept() -> None:
    state = stored(A)
    for change in (
        lambda: state.serve(B, None, "", 0),
        lambda: state.rollback(B, None, "", 0),
        lambda: state.score(B, None, "", 0),
    ):
        with pytest.raises(BundleError, match=rf"model {B} is not in the store \(there: {A}\)"):
            change()


def test_a_shadow_ends_when_it_serves_and_never_is_what_serves() -> None:
    state = stored(A, B).serve(A, None, "", 0).score(B, None, "", 0)
    assert state.shadow == B
    with pytest.raises(BundleError, match="serves; only another one"):
        state.score(A, None, "", 0)
    assert state.serve(B, None, "", 0).shadow is None
    assert state.score(None, None, "", 0).shadow is None


def test_the_oldest_go_but_none_that_is_needed() -> None:
    state = stored(A, B, C).serve(A, None, "", 0).serve(B, None, "", 0).score(C, None, "", 0)
    assert ids(state.add(kept(D), 2)) == [D, C, B, A]
    state = state.score(None, None, "", 0)
    assert ids(state.add(kept(D), 2)) == [D, B, A]
    assert ids(stored(A, B, C).add(kept(D), 2)) == [D, C]
    assert ids(stored(A, B, C).add(kept(A), 10)) == [A, C, B]


def test_history_and_keys_are_bounded() -> None:
    state = stored(A, B)
    for number in range(MAX_HISTORY + 20):
        state = state.serve((A, B)[number % 2], None, "x" * 1000, 0)
    assert len(state.history) == MAX_HISTORY
    assert {len(step.why) for step in state.history} == {200}
    full = State(kept=state.kept, serials={f"{number:016x}": 1 for number in range(MAX_KEYS)})
    with pytest.raises(BundleError, match="remembers 1000 keys already"):
        full.serve(A, ("f" * 16, 1), "", 0)
    assert full.serve(A, (f"{3:016x}", 2), "", 0).serving == A


def test_a_report_is_bounded_and_plain() -> None:
    state = stored(*(f"{number:012x}" for number in range(100)))
    for number in range(100):
        state = state.serve(f"{number:012x}", None, "", 0)
    summary = json.loads(json.dumps(state.summary()))
    assert summary == state.summary()
    assert len(summary["kept"]) == len(summary["history"]) == REPORTED
    assert (summary["older"], summary["serving"], summary["before"]) == (84, f"{99:012x}", f"{98:012x}")


# Whatever is done to it

MODELS = st.sampled_from([A, B, C, D])
BY = st.none() | st.tuples(st.sampled_from([OPS, DEV]), st.integers(1, 6))
LINEAGE = Lineage(A, Window("2025-01-31T12:00:00Z", None, 10), Gate(0.5, None, 0.01, 9))
CHANGES = st.one_of(
    st.tuples(st.just("add"), MODELS, BY),
    st.tuples(st.just("setting"), MODELS, BY),
    st.tuples(st.just("serve"), MODELS, BY),
    st.tuples(st.just("rollback"), st.none() | MODELS, BY),
    st.tuples(st.just("score"), st.none() | MODELS, BY),
)


@given(st.lists(CHANGES, max_size=30), st.integers(2, 4))
def test_whatever_is_done_what_serves_is_kept_and_serials_only_rise(
    changes: list[tuple[str, str, tuple[str, int] | None]], most: int
) -> None:
    state = State()
    for action, model_id, by in changes:
        before = state
        try:
            if action == "add":
                state = state.add(Kept(model_id, "tiny", "1", "", *(by or (None, None)), LINEAGE), most)
            elif action == "setting":
                state = state.with_setting(model_id) if state.has(model_id) else state
            else:
                state = getattr(state, action)(model_id, by, action, 1e9)
        except BundleError:
            assert state is before
        named = {state.serving, state.shadow, state.before, state.setting} - {None}
        assert named <= set(ids(state))
        assert state.serving is None or state.serving not in (state.shadow, state.before)
        assert len(state.kept) <= max(most, 4)
        assert before.serving is None or state.serving is not None
        assert all(state.serials[key] >= last for key, last in before.serials.items())
        assert read(state.document()) == state
