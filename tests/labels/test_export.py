"""The rules that go into a bundle, held against the bundle's own label map."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eacf.bundle.labelmap import LabelMap
from eacf.labels import LabelRules
from eacf.labels.file import MapFile, Rule, parse


def made(text: str) -> LabelRules:
    return LabelRules("office", parse(text, "office.toml"))


def test_domains_are_spelt_out_for_the_labels_that_count() -> None:
    rules = LabelRules.named("domains")
    names = ["www.seznam.cz", "play.googleapis.com", "hit.gemius.pl", "www.bbc.co.uk", "x.github.io", None, "localhost"]
    assert rules.bundle_rules(names, {"seznam.cz", "googleapis.com", "gemius.pl"}) == {
        "gemius.pl": "gemius.pl",
        "*.gemius.pl": "gemius.pl",
        "googleapis.com": "googleapis.com",
        "*.googleapis.com": "googleapis.com",
        "seznam.cz": "seznam.cz",
        "*.seznam.cz": "seznam.cz",
    }
    assert rules.bundle_rules(names, set()) == {}


def test_other_labels_are_told_where_they_take_names_out() -> None:
    rules = LabelRules.named("services")
    told = rules.bundle_rules(["www.google.com"], {"google"})
    assert told["youtubei.googleapis.com"] == "youtube"
    assert told["adservice.google.com"] == "google-ads"
    assert "*.youtube.com" not in told
    assert "*.teams.microsoft.com" in rules.bundle_rules([], {"microsoft"})
    assert set(rules.bundle_rules([], {"youtube"}).values()) == {"youtube"}


def test_a_rule_that_says_what_the_one_above_says_is_left_out() -> None:
    rules = made("[labels.a]\nrules = ['*.a.com', 'x.a.com', '*.y.a.com']\n[labels.b]\nrules = ['*.x.a.com', 'a.com']")
    assert rules.bundle_rules([], {"a"}) == {"*.a.com": "a", "*.x.a.com": "b"}
    assert rules.bundle_rules([], {"b"}) == {"a.com": "b", "*.x.a.com": "b"}


def test_names_without_a_label_are_not_given_one() -> None:
    """A bundle's map cannot take names out, so the suffix above them gives way to the names that were met."""
    rules = made("unlabelled = ['+.lab.a.com']\n[labels.a]\nrules = ['+.a.com']")
    told = rules.bundle_rules(["www.a.com", "x.lab.a.com", "lab.a.com", "a.com", "api.a.com", "*.a.com"], {"a"})
    assert told == {"a.com": "a", "api.a.com": "a", "www.a.com": "a"}
    rules = LabelRules.named("domains")  # valer.hedmark.no is a public suffix, hedmark.no is none
    told = rules.bundle_rules(["www.hedmark.no", "valer.hedmark.no", "x.valer.hedmark.no"], {"hedmark.no"})
    assert told == {"hedmark.no": "hedmark.no", "www.hedmark.no": "hedmark.no"}


def test_a_domain_below_a_domain_is_taken_out() -> None:
    rules = LabelRules.named("domains")
    told = rules.bundle_rules(["www.hedmark.no", "x.valer.hedmark.no"], {"hedmark.no"})
    assert LabelMap(told).label("www.hedmark.no") == "hedmark.no"
    assert LabelMap(told).label("x.valer.hedmark.no") == "x.valer.hedmark.no"


def test_the_shared_captures_names_have_the_same_labels_in_a_bundle(shared: Path) -> None:
    import csv

    with (shared / "pcaps" / "apps" / "manifest.csv").open(newline="") as file:
        names = [row["server_name"] for row in csv.DictReader(file)]
    for name in ("domains", "services"):
        rules = LabelRules.named(name)
        labels = {label for each in names if (label := rules.label(each)) is not None}
        served = LabelMap(rules.bundle_rules(names, labels))
        assert [each for each in names if served.label(each) != rules.label(each)] == []


PARTS = st.sampled_from(["a", "b", "c"])
NAMES = st.lists(PARTS, min_size=1, max_size=4).map(lambda parts: ".".join([*parts, "com"]))
LABELS = st.sampled_from(["a", "b", None, "a.com", "b.com"])
PATTERNS = st.dictionaries(
    st.builds(lambda form, name: form + name, st.sampled_from(["", "*."]), NAMES), LABELS, max_size=8
)


@pytest.mark.parametrize("fallback", ["none", "registrable-domain"])
@settings(max_examples=400, deadline=None)
@given(PATTERNS, st.lists(NAMES, max_size=10), st.sets(st.sampled_from(["a", "b", "a.com", "b.com", "c.com", "x"])))
def test_a_bundle_says_what_the_map_says(
    fallback: str, patterns: dict[str, str | None], names: list[str], labels: set[str]
) -> None:
    written = {pattern: Rule(pattern, label, pattern, "here") for pattern, label in patterns.items()}
    kinds = dict.fromkeys(["a", "b", "a.com", "b.com"], "application")
    rules = LabelRules("x", MapFile("x", fallback=fallback, kinds=kinds, rules=written))
    told = rules.bundle_rules(names, labels)
    served = LabelMap(told)
    for name in names:
        label, said = rules.label(name), served.label(name)
        if label in labels:
            assert said == label
        else:
            assert said == label or said is None
    assert all(label in labels or label is not None for label in told.values())
    assert told == rules.bundle_rules(sorted(names, reverse=True), labels)
