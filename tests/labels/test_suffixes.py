"""The public suffix list."""

from __future__ import annotations

import re

import pytest

from eacf.labels import suffixes


@pytest.mark.parametrize(
    ("name", "domain"),
    [
        ("www.example.com", "example.com"),
        ("example.com", "example.com"),
        ("a.b.example.co.uk", "example.co.uk"),
        ("co.uk", None),
        ("play.googleapis.com", "googleapis.com"),  # on the private section
        ("user.github.io", "github.io"),
        ("www.city.kobe.jp", "city.kobe.jp"),  # an exception to *.kobe.jp
        ("a.b.c.kobe.jp", "b.c.kobe.jp"),
        ("nas.lan", "nas.lan"),  # no such top-level domain
        ("xn--85x722f.com.cn", "xn--85x722f.com.cn"),
    ],
)
def test_a_registrable_domain_is_one_label_below_the_suffix(name: str, domain: str | None) -> None:
    assert suffixes.registrable(name) == domain


def test_shared_domains_are_those_that_give_names_away() -> None:
    assert suffixes.is_shared("github.io")
    assert suffixes.is_shared("cloudfront.net")
    assert not suffixes.is_shared("seznam.cz")
    assert not suffixes.is_shared("co.uk")
    assert not suffixes.is_shared("Office 365")


def test_versions_are_told() -> None:
    assert re.fullmatch(r"20\d\d-\d\d-\d\d_\S+", suffixes.list_version())
    assert re.fullmatch(r"[\d.]+", suffixes.library_version())
