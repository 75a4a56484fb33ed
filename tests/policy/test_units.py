"""How values are written: what is taken, what is refused with which words, and what is told of them."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eacf.policy import units


@given(st.sampled_from("kmg"), st.data())
def test_rates(unit: str, data: st.DataObject) -> None:
    number = data.draw(
        st.integers(8, 999_999_999) if unit == "k" else st.integers(1, 1_000_000 if unit == "m" else 1000)
    )
    assert units.rate(f"{number}{unit}bit") == number * {"k": 10**3, "m": 10**6, "g": 10**9}[unit]


@pytest.mark.parametrize(
    "said",
    ["", "5", "0mbit", "05mbit", "5Mbit", "5 mbit", "5mbits", "-5mbit", "٥mbit", "1000000000kbit", "7kbit", "1001gbit"],
)
def test_no_rates(said: str) -> None:
    with pytest.raises(ValueError, match="kbit, mbit or gbit"):
        units.rate(said)


@pytest.mark.parametrize(
    ("said", "seconds"), [("1s", 1), ("90s", 90), ("10m", 600), ("6h", 21_600), ("7d", 604_800), ("168h", 604_800)]
)
def test_times(said: str, seconds: float) -> None:
    assert units.lasts(said) == seconds


@pytest.mark.parametrize("said", ["", "1", "0s", "8d", "169h", "604801s", "1w", "1h30m", "1 h", "1H", "٣s"])
def test_no_times(said: str) -> None:
    with pytest.raises(ValueError, match="at most 7d"):
        units.lasts(said)


@given(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF))
def test_classes_of_tc(major: int, minor: int) -> None:
    assert units.tc(f"{major:x}:{minor:x}") == major << 16 | minor


@pytest.mark.parametrize("said", ["", "1", "1:", ":1", "1:10:1", "1:AB", "0x1:1", "12345:1"])
def test_no_classes_of_tc(said: str) -> None:
    with pytest.raises(ValueError, match="hexadecimal"):
        units.tc(said)


def test_code_points() -> None:
    assert [units.dscp(name) for name in ("cs0", "cs7", "af11", "af43", "ef")] == [0, 56, 10, 38, 46]
    with pytest.raises(ValueError, match="af11 to af43"):
        units.dscp("af14")


@pytest.mark.parametrize(
    ("said", "network"),
    [
        ("192.0.2.1", "192.0.2.1/32"),
        ("10.0.0.1/24", "10.0.0.0/24"),
        ("2001:DB8::1", "2001:db8::1/128"),
        ("::/0", "::/0"),
        ("::ffff:192.0.2.1", "192.0.2.1/32"),
        ("::ffff:192.0.2.0/120", "192.0.2.0/24"),
    ],
)
def test_networks(said: str, network: str) -> None:
    assert units.network(said) == ip_network(network)


@pytest.mark.parametrize(
    "said", ["", "example.com", "10.0.0.0/33", "10.0.0.0/255.255.255.0", "fe80::1%eth0", "10.0.0", "1", "/8"]
)
def test_no_networks(said: str) -> None:
    with pytest.raises(ValueError, match="no address and no subnet"):
        units.network(said)


def test_names() -> None:
    assert all(map(units.is_name, ("a", "a b", "é" * 32, "a" * 64, "\u3000")))
    assert not any(map(units.is_name, ("", "a" * 65, "é" * 33, "a\nb", "\x7f", "\x85")))


def test_in_words() -> None:
    assert [units.rate_text(n) for n in (5_000_000, 1_500_000, 2_000_000_000)] == [
        "5 Mbit/s",
        "1,500 kbit/s",
        "2 Gbit/s",
    ]
    assert [units.lasts_text(n) for n in (1, 90, 600, 3600, 7200, 86_400)] == [
        "1 s",
        "90 s",
        "10 minutes",
        "1 hour",
        "2 hours",
        "1 day",
    ]
