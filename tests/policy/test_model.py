"""What a policy leaves alone, and its one form."""

from __future__ import annotations

import json
from ipaddress import ip_address, ip_network

import pytest

from eacf.policy import Policy, parse
from eacf.policy.model import tc_text

ALONE = Policy(leave_alone=(ip_network("192.0.2.0/28"), ip_network("2001:db8:1::/48"), ip_network("198.51.100.7/32")))


@pytest.mark.parametrize(
    ("address", "left"),
    [
        ("192.0.2.15", True),
        ("192.0.2.16", False),
        ("198.51.100.7", True),
        ("198.51.100.8", False),
        ("2001:db8:1:ffff::1", True),
        ("2001:db8:2::", False),
        ("::c000:20f", False),
    ],
)
def test_what_is_left_alone(address: str, left: bool) -> None:
    assert ALONE.leaves_alone(ip_address(address)) is left
    assert not Policy().leaves_alone(ip_address(address))


def test_an_ipv4_address_within_an_ipv6_one_is_left_alone_as_well() -> None:
    assert ALONE.leaves_alone(ip_address("::ffff:192.0.2.1"))


def test_handles_as_tc_writes_them() -> None:
    assert (tc_text(0x10010), tc_text(0xFFFF0001), tc_text(None)) == ("1:10", "ffff:1", None)


def test_the_one_form_is_json() -> None:
    document = parse(b"[unknown]\nblock = true\n", "x").document()
    assert json.loads(json.dumps(document)) == document
    assert document["unknown"]["lasts"] == 3600
