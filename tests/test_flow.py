"""What flows are made of."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from eacf.flow import Needs, address_text, joined


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),  # Zeek knows no other form of it
        ("::192.0.2.1", "::192.0.2.1"),
        ("::ffff:0:192.0.2.1", "::ffff:0:192.0.2.1"),
        ("::", "::"),
        ("::1", "::1"),
        ("::2", "::0.0.0.2"),
        ("fe80::1:0:0:2", "fe80::1:0:0:2"),
        ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
    ],
)
def test_addresses(value: str, text: str) -> None:
    assert address_text(ip_address(value)) == text


def test_records_only_takes_both() -> None:
    assert Needs(0, 0, 16, False).records_only
    assert not Needs(0, 3000, 16, True).records_only
    assert not Needs(1, 3000, 16, False).records_only


RECORDS, MORE, STREAM, SHORT = (
    Needs(0, 3000, 8, False),
    Needs(0, 0, 16, False),
    Needs(3000, 3000, 0, True),
    Needs(0, 500, 4, True),
)


@pytest.mark.parametrize(
    ("needs", "expected"),
    [
        ([RECORDS], RECORDS),
        ([RECORDS, MORE], Needs(0, 3000, 16, False)),
        ([Needs(0, 0, 0, False), Needs(0, 0, 4, False)], Needs(0, 0, 8, False)),  # 0 is 8 there
        ([RECORDS, STREAM], STREAM),
        ([MORE, SHORT], Needs(0, 500, 4, True)),
        ([SHORT, STREAM], Needs(3000, 3000, 0, True)),
        ([SHORT, Needs(100, 200, 9, True)], Needs(100, 500, 9, True)),
    ],
)
def test_needs_are_joined_as_the_sensor_does(needs: list[Needs], expected: Needs) -> None:
    assert joined(needs) == joined(needs[::-1]) == expected
