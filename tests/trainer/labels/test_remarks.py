"""What is odd about a map."""

from __future__ import annotations

from eacf.labels import LabelRules
from eacf.labels.file import parse
from eacf_trainer.labels.remarks import remarks

ODD = """
[labels.a]
rules = ["*.a.com", "www.a.com", "+.b.a.com", "*.co.uk", "*.lan"]

[labels.b]
rules = ["c.a.com"]
"""


def test_what_is_odd_is_told() -> None:
    assert list(remarks(LabelRules("odd", parse(ODD, "odd.toml")))) == [
        '"www.a.com" (line 3, label a) says no more than "*.a.com" (line 3, label a) does',
        '"+.b.a.com" (line 3, label a) says no more than "*.a.com" (line 3, label a) does',
        '"*.co.uk" (line 3, label a) claims all names of a public suffix',
        "there is no table [tests]",
    ]


def test_nothing_is_odd_about_the_shipped_maps() -> None:
    assert list(remarks(LabelRules.named("domains"))) == []
    assert list(remarks(LabelRules.named("services"))) == []
