"""What a policy leaves alone, and its one form."""

from __future__ import annotations

import json
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eacf.flow import Address
from eacf.policy import Policy, parse
from eacf.policy.model import Network, tc_text


def wide(address: Address) -> st.SearchStrategy[Network]:
    """A network of any width around it."""
    return st.integers(0, address.max_prefixlen).map(lambda width: ip_network((address, width), strict=False))


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


@given(st.lists(st.ip_addresses().flatmap(wide), max_size=8), st.ip_addresses())
def test_it_is_what_the_standard_library_says(networks: list[Network], address: Address) -> None:
    policy = Policy(leave_alone=tuple(networks))
    for asked in (address, *(each[-1] for each in networks)):
        if getattr(asked, "ipv4_mapped", None) is None:
            assert policy.leaves_alone(asked) is any(asked in each for each in networks)


def test_an_ipv4_address_within_an_ipv6_one_is_left_alone_as_well() -> None:
    assert ALONE.leaves_alone(ip_address("::ffff:192.0.2.1"))


def test_handles_as_tc_writes_them() -> None:
    assert (tc_text(0x10010), tc_text(0xFFFF0001), tc_text(None)) == ("1:10", "ffff:1", None)


def test_the_one_form_is_json() -> None:
    document = parse(b"[unknown]\nblock = true\n", "x").document()
    assert json.loads(json.dumps(document)) == document
    assert document["unknown"]["lasts"] == 3600
