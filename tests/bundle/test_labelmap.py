from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eacf.bundle.labelmap import LabelMap
from eacf.errors import BundleError

RULES = {
    "example.com": "apex",
    "*.example.com": "below",
    ".video.example.com": "video",
    "cdn.video.example.com": "cdn",
    "LOCALHOST": "local",
}


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("example.com", "apex"),
        ("EXAMPLE.com.", "apex"),
        ("www.example.com", "below"),
        ("a.b.c.example.com", "below"),
        ("video.example.com", "below"),
        ("www.video.example.com", "video"),
        ("cdn.video.example.com", "cdn"),
        ("x.cdn.video.example.com", "video"),
        ("badexample.com", None),
        ("com", None),
        ("localhost", "local"),
        ("x.localhost", None),
        ("", None),
        (".", None),
        ("..", None),
        (".example.com", "below"),
        ("www.example.com..", None),
        ("\udcff.example.com", "below"),
        (None, None),
    ],
)
def test_names(name: str | None, label: str | None) -> None:
    names = LabelMap(RULES)
    assert names.label(name) == label
    assert names.label(name) == label


@pytest.mark.parametrize(
    "rules",
    [
        {"a.b": "x", "A.B": "x"},
        {"a.b": "x", "a.b.": "y"},
        {"*.a.b": "x", ".a.b": "x"},
        {"*.a.b": "x", "*.A.b.": "y"},
    ],
)
def test_two_rules_that_claim_the_same(rules: dict[str, str]) -> None:
    with pytest.raises(BundleError, match="claims the same names as"):
        LabelMap(rules)


@pytest.mark.parametrize(
    "rule", ["", ".", "*", "*.", "a*.b", "*.*.b", "a..b", "a b", "é.b", "a\n", "x" * 64, "a." * 127 + "b"]
)
def test_what_is_no_rule(rule: str) -> None:
    with pytest.raises(BundleError, match="is neither a server name nor"):
        LabelMap({rule: "x"})


LABEL = st.sampled_from(["a", "b", "c"])
NAME = st.lists(LABEL, min_size=1, max_size=5).map(".".join)


@given(st.dictionaries(st.tuples(st.booleans(), NAME), LABEL, max_size=12), NAME)
def test_the_most_specific_rule_wins(rules: dict[tuple[bool, str], str], name: str) -> None:
    names = LabelMap({("*." if below else "") + rule: label for (below, rule), label in rules.items()})
    expected = rules.get((False, name))
    if expected is None:
        fitting = [rule for below, rule in rules if below and name.endswith("." + rule)]
        expected = rules[True, max(fitting, key=len)] if fitting else None
    assert names.label(name) == expected


def test_hostile_names_cost_little() -> None:
    names = LabelMap({"*.example.com": "x"})
    begun = time.perf_counter()
    for number in range(20_000):
        assert names.label("." * 60_000 + str(number)) is None
        assert names.label("." * 240 + str(number)) is None
    assert time.perf_counter() - begun < 10
