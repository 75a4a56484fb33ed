from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eacf.models.reading import read
from eacf.models.state import Kept, State

A, B = "a" * 12, "b" * 12
KEY = "0" * 16
STATE = (
    State()
    .add(Kept(A, "tiny", "1", "2025-01-31T12:00:00Z", None, None, None), 10)
    .add(Kept(B, "tiny", "2", "2025-01-31T12:00:00Z", KEY, 1, None), 10)
    .serve(A, None, "", 0)
    .serve(B, (KEY, 1), "", 0)
)
WHOLE: dict[str, Any] = json.loads(STATE.document())


def test_read_back() -> None:
    assert read(STATE.document()) == STATE
    assert read(State().document()) == State()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"format": 2}, "format is 2, this eacf reads 1"),
        ({"serving": "c" * 12}, "serving: model cccccccccccc is not among those kept"),
        ({"shadow": "c" * 12}, "shadow: model"),
        ({"setting": "c" * 12}, "setting: model"),
        ({"before": "../../etc/x"}, "before: '../../etc/x' does not fit"),
        ({"serving": 1}, "serving: is not of type str"),
        ({"serials": {"key": 1}}, "serials: 'key' is no key's id"),
        ({"serials": {KEY: 0}}, "serials.0000000000000000: 0 is out of range"),
        ({"serials": {KEY: True}}, "serials.0000000000000000: is not of type int"),
        ({"kept": [{}]}, r"kept\[0\].id: is missing"),
        ({"kept": [WHOLE["kept"][0]] * 2}, "kept: a model stands there twice"),
        ({"kept": [WHOLE["kept"][0] | {"lineage": 3}]}, r"kept\[0\].lineage: is not of type dict"),
        ({"history": [3]}, r"history\[0\]"),
        ({"history": [WHOLE["history"][0]] * 101}, "history: has more than 100 entries"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        read(json.dumps(WHOLE | change).encode())


@pytest.mark.parametrize("key", WHOLE)
def test_nothing_may_be_missing(key: str) -> None:
    with pytest.raises(ValueError, match=f"{key}: is missing"):
        read(json.dumps({name: value for name, value in WHOLE.items() if name != key}).encode())


def test_every_shorter_file_is_refused() -> None:
    """But for the newline at its end."""
    data = STATE.document()
    for end in range(len(data) - 1):
        with pytest.raises(ValueError, match=r"Expecting|Unterminated|Invalid|delimiter"):
            read(data[:end])


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@settings(max_examples=30)
@given(st.dictionaries(st.sampled_from(list(WHOLE)), ANYTHING))
def test_anything_is_a_state_or_a_value_error(change: dict[str, Any]) -> None:
    try:
        state = read(json.dumps(WHOLE | change).encode())
    except ValueError:
        return
    assert read(state.document()) == state
