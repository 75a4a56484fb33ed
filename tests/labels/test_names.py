"""Server names and rules."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eacf.bundle.labelmap import LabelMap
from eacf.labels.names import claims, name_of


@pytest.mark.parametrize(
    ("server_name", "name"),
    [
        ("www.example.com", "www.example.com"),
        ("WWW.Example.COM.", "www.example.com"),
        ("r3---sn-4g5e6nz7.googlevideo.com", "r3---sn-4g5e6nz7.googlevideo.com"),
        ("_sip.example.com", "_sip.example.com"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("1.2.3.com", "1.2.3.com"),
        ("localhost", None),
        ("", None),
        (".", None),
        ("example.com..", None),
        (".example.com", None),
        ("a..b.com", None),
        ("192.0.2.1", None),
        ("192.0.2.1.", None),
        ("2001:db8::1", None),
        ("[2001:db8::1]", None),
        ("example.com:443", None),
        ("*.example.com", None),
        ("exa mple.com", None),
        ("example.com\n", None),
        ("example.com\x00", None),
        ("b\u00fccher.example", None),
        ("example.\u212aom", None),  # lower case of KELVIN SIGN is k
        ("\udcff.example.com", None),
        ("a" * 63 + ".com", "a" * 63 + ".com"),
        ("a" * 64 + ".com", None),
        (".".join(["a" * 49] * 5) + ".com", ".".join(["a" * 49] * 5) + ".com"),
        (".".join(["a" * 50] * 5) + ".com", None),
        ("a.com" * 1_000_000, None),
    ],
)
def test_names_of_hosts_alone_are_names(server_name: str, name: str | None) -> None:
    assert name_of(server_name) == name


@pytest.mark.parametrize(
    ("rule", "patterns"),
    [
        ("www.example.com", ("www.example.com",)),
        ("WWW.Example.com.", ("www.example.com",)),
        ("*.Example.com", ("*.example.com",)),
        (".example.com", ("*.example.com",)),
        ("+.example.com", ("example.com", "*.example.com")),
        ("*.lan", ("*.lan",)),
        ("+.lan", ()),
        ("lan", ()),
        ("", ()),
        (".", ()),
        ("*", ()),
        ("*.", ()),
        ("+.", ()),
        ("*.*.example.com", ()),
        ("a.*.example.com", ()),
        ("*example.com", ()),
        ("192.0.2.1", ()),
        ("*.0.2.1", ()),
        ("+.b\u00fccher.example", ()),
        ("example.com ", ()),
    ],
)
def test_rules_stand_for_patterns(rule: str, patterns: tuple[str, ...]) -> None:
    assert claims(rule) == patterns


@given(st.text(st.sampled_from("aZ9-_.*+ \u00e9"), max_size=12))
def test_what_is_a_pattern_here_is_one_in_a_bundle(rule: str) -> None:
    """A bundle's reader takes every pattern, and takes it for the same."""
    for pattern in claims(rule):
        served = LabelMap({pattern: "x"})
        assert (served.suffix if pattern.startswith("*.") else served.exact) == {pattern.removeprefix("*."): "x"}
