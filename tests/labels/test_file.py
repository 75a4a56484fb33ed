"""The file: what it says, and every mistake in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eacf.errors import SettingError
from eacf.labels.file import parse, read

GOOD = """
about = "A trial."
fallback = "registrable-domain"
lists = ["cdn"]
ech_public_names = ["ech.example.net"]
unlabelled = ["+.internal.example"]

[labels.seznam]
rules = ["+.seznam.cz", "*.szn.cz"]

[labels."Office 365"]
kind = "cdn"
about = "Whatever."
rules = ["outlook.example.com"]

[tests]
"www.seznam.cz" = "seznam"
"ech.example.net" = false
"""


def test_a_file_is_read_whole() -> None:
    made = parse(GOOD, "office.toml")
    assert made.about == "A trial."
    assert made.fallback == "registrable-domain"
    assert made.lists == ("cdn",)
    assert made.kinds == {"seznam": "application", "Office 365": "cdn"}
    assert {pattern: rule.label for pattern, rule in made.rules.items()} == {
        "ech.example.net": None,
        "internal.example": None,
        "*.internal.example": None,
        "seznam.cz": "seznam",
        "*.seznam.cz": "seznam",
        "*.szn.cz": "seznam",
        "outlook.example.com": "Office 365",
    }
    assert made.rules["ech.example.net"].ech
    assert not made.rules["internal.example"].ech
    assert made.rules["*.szn.cz"].origin == "line 9"
    assert made.tests == {"www.seznam.cz": "seznam", "ech.example.net": None}


def test_lists_come_with_the_fallback() -> None:
    assert parse('fallback = "registrable-domain"', "f").lists == ("ads", "cdn")
    assert parse('fallback = "registrable-domain"\nlists = []', "f").lists == ()
    assert parse('labels.a.rules = ["a.com"]', "f").lists == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", 'm.toml: labels is missing; expected a table [labels.NAME] with rules, or fallback = "registrable-domain"'),
        ("labels = {}", "m.toml: labels is missing"),
        ("= 3", "m.toml: is not TOML (Invalid statement (at line 1, column 1))"),
        ("x = " + "[" * 5000, "m.toml: is nested too deeply"),
        ("fallbak = 'none'", "m.toml: fallbak is unknown; known: about, fallback, lists, ech_public_names, unlabelled, labels, tests"),
        ('"a\\nb" = 1', 'm.toml: "a\\nb" is unknown'),
        ("fallback = 'psl'", 'm.toml: fallback = \'psl\' is not allowed; expected "registrable-domain" or "none"'),
        ("fallback = true", "m.toml: fallback = true is not allowed"),
        ("labels = 3", "m.toml: labels = 3 is not allowed; expected a table"),
        ("labels.a = ['a.com']", "m.toml: labels.a = ['a.com'] is not allowed; expected a table"),
        ("[labels.a]", "m.toml: labels.a.rules is missing; expected a list of server names, *.name, +.name"),
        ("labels.a.rules = []", "m.toml: labels.a.rules = [] is not allowed"),
        ("labels.a.rules = 'a.com'", "m.toml: labels.a.rules = 'a.com' is not allowed"),
        ("labels.a.rules = [1979-05-27]", "m.toml: labels.a.rules = datetime.date(1979, 5, 27) is not allowed"),
        ("labels.a.rules = ['a com']", "m.toml: labels.a.rules = 'a com' is not allowed"),
        ("labels.a.rules = ['bücher.example']", "each of two labels or more, in ASCII (xn--... for others)"),
        ("labels.a.rules = ['router']", "m.toml: labels.a.rules = 'router' is not allowed"),
        ("labels.a.rule = ['a.com']", "m.toml: labels.a.rule is unknown; known: kind, rules, about"),
        ("labels.a.com.rules = ['a.com']", 'labels.a.com is unknown; known: kind, rules, about; a label with a dot needs quotes: '),
        ("[labels.a]\nkind = 'app'\nrules = ['a.com']", 'labels.a.kind = \'app\' is not allowed; expected "application" or "ads" or "cdn"'),
        ("[labels.'']\nrules = ['a.com']", "expected a printable text of 1 to 64 characters on one line"),
        (f"[labels.{'a' * 65}]\nrules = ['a.com']", "expected a printable text of 1 to 64 characters on one line"),
        ('[labels."a\\n"]\nrules = ["a.com"]', "expected a printable text of 1 to 64 characters on one line"),
        ("fallback = 'registrable-domain'\nlists = ['ech']", 'm.toml: lists = \'ech\' is not allowed; expected "ads" or "cdn"'),
        ("fallback = 'registrable-domain'\nlists = 'ads'", "m.toml: lists = 'ads' is not allowed; expected a list of"),
        ("unlabelled = [3]", "m.toml: unlabelled = 3 is not allowed"),
        ("labels.a.rules = ['a.com']\ntests.x = true", "m.toml: tests.x = true is not allowed; expected a label, or false for none"),
        ("labels.a.rules = ['a.com']\ntests = []", "m.toml: tests = [] is not allowed; expected a table"),
    ],
)  # fmt: skip
def test_every_mistake_is_named(text: str, message: str) -> None:
    with pytest.raises(SettingError) as raised:
        parse(text, "m.toml")
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '[labels.seznam]\nrules = [\n  "+.seznam.cz",\n  "*.szn.cz",\n]\n[labels.other]\nrules = ["+.SZN.cz."]',
            'm.toml: "*.szn.cz" (line 4, label seznam) and "+.SZN.cz." (line 7, label other) claim the same names, *.szn.cz;',
        ),
        (
            '[labels.a]\nrules = ["a.com", "a.com"]',
            'm.toml: "a.com" (line 2, label a) and "a.com" (line 2, label a) claim the same names, a.com;',
        ),
        (
            '# "a.com"\nunlabelled = ["a.com"]\n[labels."a.com"]\nrules = ["a.com"]',
            'm.toml: "a.com" (line 2, no label) and "a.com" (line 4, label a.com) claim the same names, a.com;',
        ),
        (
            'ech_public_names = ["\\u0061.com"]\n[labels.a]\nrules = [".b.com", "+.a.com"]',
            'm.toml: "a.com" (ech_public_names, an ECH public name) and "+.a.com" (line 3, label a) claim the same names',
        ),
    ],
)
def test_two_rules_for_the_same_names_are_named_with_lines_and_labels(text: str, message: str) -> None:
    with pytest.raises(SettingError) as raised:
        parse(text, "m.toml")
    assert message in str(raised.value)


def test_an_exact_rule_and_a_suffix_do_not_claim_the_same() -> None:
    made = parse('[labels.a]\nrules = ["a.com", "x.a.com"]\n[labels.b]\nrules = ["*.a.com", "*.x.a.com"]', "m.toml")
    assert len(made.rules) == 4


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "cannot be read (No such file or directory); give a TOML file of labels"), (b"\xff", "is not UTF-8 text")],
)
def test_a_file_that_cannot_be_read_is_named(content: bytes | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / "m.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingError, match=r"m\.toml: ") as raised:
        read(path)
    assert message in str(raised.value)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="Is a directory"):
        read(tmp_path)


KEYS = st.sampled_from(
    ["about", "fallback", "lists", "ech_public_names", "unlabelled", "labels", "tests", "a", "kind", "rules", "x.y"]
)
VALUES = st.recursive(
    st.one_of(
        st.booleans(),
        st.integers(-5, 5),
        st.floats(),
        st.sampled_from(
            ["a.com", "*.a.com", "+.a.com", ".a", "none", "registrable-domain", "ads", "", "\u00e9", "a\n"]
        ),
        st.text(max_size=4),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=12,
)


def toml(value: Any) -> str:
    """A value as TOML (inline)."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return {"nan": "nan", "inf": "inf", "-inf": "-inf"}.get(repr(value), repr(value))
    if isinstance(value, str):
        plain = "".join(c if c.isalnum() or c in ".*+ -" else f"\\U{ord(c):08x}" for c in value)
        return f'"{plain}"'
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{toml(key)} = {toml(each)}" for key, each in value.items()) + "}"
    return str(value)


def outcome(text: str) -> str | None:
    """What is wrong with `text`, if anything; any other error than ours goes through."""
    try:
        made = parse(text, "m.toml")
    except SettingError as error:
        return str(error)
    assert made.rules or made.fallback != "none"
    return None


@settings(max_examples=400, deadline=None)
@given(st.dictionaries(KEYS, VALUES, max_size=5))
def test_whatever_is_in_a_file_the_only_error_is_ours(table: dict[str, Any]) -> None:
    text = "\n".join(f"{toml(key)} = {toml(value)}" for key, value in table.items())
    assert (outcome(text) or "m.toml: ").startswith("m.toml: ")


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60))
def test_whatever_the_text_the_only_error_is_ours(text: str) -> None:
    assert (outcome(text) or "m.toml: ").startswith("m.toml: ")
