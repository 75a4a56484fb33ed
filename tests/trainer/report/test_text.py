"""How values read."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eacf_trainer.report import text


@pytest.mark.parametrize(
    ("given_text", "shown"),
    [
        ("www.example.com", "www.example.com"),
        ("räksmörgås.日本.example", "räksmörgås.日本.example"),
        ("a\x00b\x7f", "a\\x00b\\x7f"),
        ("a\udcffb", "a\\xffb"),
        ("\ud800", "\\ud800"),
        ("evil\u202egpj", "evil\\u202egpj"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("two\u00a0words", "two\u00a0words"),
    ],
)
def test_shown(given_text: str, shown: str) -> None:
    assert text.shown(given_text) == shown


@given(st.text(st.characters()))
def test_nothing_hidden_is_left(anything: str) -> None:
    shown = text.shown(anything)
    assert not {unicodedata.category(character) for character in shown} & text.HIDDEN
    assert text.shown(shown) == shown
    shown.encode()


@given(st.text(st.characters()), st.integers(5, 40))
def test_shortened_is_short(anything: str, length: int) -> None:
    assert len(text.shortened(anything, length)) <= length


def test_both_ends_are_kept() -> None:
    assert text.shortened("application-24.some-long-domain.example", 22) == "applicatio…ain.example"


def test_numbers() -> None:
    assert text.percent(0.6829) == "68.3\u00a0%"
    assert text.points(0.6156) == "61.6"
    assert text.count(1234567) == "1\u00a0234\u00a0567"
    assert text.number(1234.56) == "1\u00a0234.6"
    assert {text.percent(None), text.points(None), text.count(None), text.number(None), text.day(None)} == {"–"}
    assert (text.plural(1, "flow"), text.plural(2, "flow")) == ("1\u00a0flow", "2\u00a0flows")


def test_times_are_utc() -> None:
    assert text.day(1_577_836_799_999_999_999) == "2019-12-31"
    assert text.minute(1_577_836_800_000_000_000) == "2020-01-01 00:00"


def test_tls_versions() -> None:
    assert [text.tls_version(code) for code in (772, "772", "0x303", 0xFB1A, None, "unknown", "odd")] == [
        "TLS 1.3",
        "TLS 1.3",
        "TLS 1.2",
        "0xfb1a",
        "not told",
        "not told",
        "odd",
    ]


def test_a_recipe_is_told_value_by_value() -> None:
    recipe = {"a": {"b": [1, 2], "c": {"d": 0.002}}, "e": True, "f": "", "g": [], "h": {}, "i": 0}
    assert list(text.flat(recipe)) == [("a.b", "1, 2"), ("a.c.d", "0.002"), ("e", "yes"), ("i", "0")]
