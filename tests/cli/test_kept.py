"""Tables of models that are kept, whatever a report says of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eacf.cli import kept

ENTRY = {
    "id": "0123456789ab",
    "name": "public",
    "version": "2",
    "received": "2025-01-31T12:00:00Z",
    "key": "0123456789abcdef",
    "lineage": {
        "parent": "ba9876543210",
        "window": {"first": "2025-01-01", "last": "2025-01-30", "samples": 1500},
        "gate": {"macro_f1": 0.91, "parent_macro_f1": 0.9, "p": 0.001, "judged": 400},
    },
}


def test_a_model_in_a_row_with_all_its_roles_and_where_it_comes_from() -> None:
    (row,) = kept.rows({"serving": "0123456789ab", "setting": "0123456789ab", "before": None, "kept": [ENTRY]})
    assert row == (
        "0123456789ab",
        "public 2",
        "serves, setting",
        "2025-01-31T12:00:00Z",
        "0123456789abcdef",
        "ba9876543210",
        "1,500 samples, 2025-01-01 to 2025-01-30",
        "F1 0.910 (parent 0.900), p 0.001, 400 samples",
    )
    assert len(row) == len(kept.COLUMNS)


def test_what_is_not_told_is_a_dash() -> None:
    assert kept.rows({"kept": [{}]}) == [("-", "- -", "", "-", "this machine", "-", "-", "-")]
    assert kept.steps({"history": [{}, 7, None]}) == [("-", "-", "-", "-", "this machine")]


def test_a_table_that_is_no_terminals_is_aligned_and_an_empty_one_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    kept.show(("a", "b"), [("1", "22"), ("333", "")])
    kept.show(("a", "b"), [])
    assert capsys.readouterr().out == "a    b\n1    22\n333\nnothing yet\n"


@pytest.mark.parametrize("roles", ["serves", "serves, setting"])
def test_the_model_that_serves_stands_out_on_a_terminal(
    roles: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "150")
    table = [("one", "x 1", roles, *"-----"), ("two", "y 2", "before, setting", *"-----")]
    kept.show(kept.COLUMNS, table)
    one, two = (line for line in capsys.readouterr().out.splitlines() if "x 1" in line or "before" in line)
    assert "\x1b[1m" in one
    assert "\x1b[1m" not in two


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "lineage", "window", "gate", "samples", "macro_f1", "p"]), inner)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["kept", "history", "serving", "setting"]), json | st.lists(json)))
def test_no_report_makes_it_raise_or_steer_a_terminal(report: dict[str, object]) -> None:
    for row in (*kept.rows(report), *kept.steps(report)):
        assert all(value.isprintable() for value in row)
