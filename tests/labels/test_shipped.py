"""What comes with eacf."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from eacf.labels import MAPS, LabelRules
from eacf.labels.names import name_of
from eacf.labels.shipped import list_rules, listed
from eacf_trainer import testbed


@pytest.mark.parametrize("name", ["ads", "cdn", "ech"])
def test_a_list_has_domains_each_with_a_sentence(name: str) -> None:
    domains = listed(name)
    assert len(domains) >= (5 if name == "ech" else 40)
    for domain, sentence in domains.items():
        assert name_of(domain) == domain
        assert sentence.endswith(".")
        assert len(sentence) > 8


def test_no_domain_is_on_two_lists_or_below_another() -> None:
    domains = [domain for name in ("ads", "cdn", "ech") for domain in listed(name)]
    assert len(domains) == len(set(domains))
    assert not [(low, high) for low in domains for high in domains if low.endswith(f".{high}")]
    assert all(rule.label is None for rule in list_rules("ech").values())


@pytest.mark.parametrize("name", MAPS)
def test_a_map_loads_and_passes_its_tests(name: str) -> None:
    rules = LabelRules.named(name)
    assert rules.name == name
    assert rules.summary["labels"]["application"] > 0
    assert name == "testbed" or rules.file.tests


def test_the_testbeds_names_have_its_labels() -> None:
    rules = LabelRules.named("testbed")
    for app in testbed.APPS:
        for host in testbed.apps.site(app, 5).hosts:
            assert rules.label(host) == app
            assert rules.kind(app) == "application"
    assert rules.label("www.seznam.cz") is None


def test_every_label_of_the_shared_captures_is_what_the_map_domains_says(shared: Path) -> None:
    manifest = shared / "pcaps" / "apps" / "manifest.csv"
    with manifest.open(newline="") as file:
        rows = list(csv.DictReader(file))
    rules = LabelRules.named("domains")
    assert len(rows) > 1800
    assert [row for row in rows if rules.label(row["server_name"]) != row["label"]] == []
    kinds = {label: rules.kind(label) for label in {row["label"] for row in rows}}
    assert sorted(label for label, kind in kinds.items() if kind == "ads") == [
        "adnxs.com",
        "amazon-adsystem.com",
        "appsflyer.com",
        "branch.io",
        "crashlytics.com",
        "doubleclick.net",
        "gemius.pl",
        "imedia.cz",
        "performax.cz",
        "pubmatic.com",
    ]
    assert [label for label, kind in kinds.items() if kind == "cdn"] == ["gstatic.com"]
