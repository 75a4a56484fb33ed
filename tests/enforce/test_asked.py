"""One act by itself: its target, what it puts in place, and every reason why not."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from eacf.enforce.asked import Refusal, allowed, element_of, target_of
from eacf.enforce.ruleset import Element, Marks, Pair
from tests.enforce.conftest import Ask, MakePolicy


def test_a_connection_is_one_target_whichever_end_opened_it(ask: Ask) -> None:
    one = target_of(ask(orig_h="10.1.0.2", orig_p=5000, resp_h="10.2.0.2", resp_p=443))
    other = target_of(ask(orig_h="10.2.0.2", orig_p=443, resp_h="10.1.0.2", resp_p=5000))
    assert one == other == Pair("tcp", (ip_address("10.1.0.2"), 5000), (ip_address("10.2.0.2"), 443))
    assert target_of(ask(protocol="udp")) != target_of(ask())


def test_only_a_rate_asks_which_end_opened_it(ask: Ask, policy: MakePolicy) -> None:
    swapped = {"orig_h": "10.2.0.2", "orig_p": 443, "resp_h": "10.1.0.2", "resp_p": 5000}
    marks = Marks("label youtube", 16, 0x10010, None, None)
    assert element_of(ask(**swapped), policy()) == element_of(ask(), policy()) == Element(marks)
    assert element_of(ask(rate=1_000_000), policy()).low_is_orig
    assert not element_of(ask(rate=1_000_000, **swapped), policy()).low_is_orig


def test_a_subnet_is_its_network(ask: Ask, policy: MakePolicy) -> None:
    act = ask(kind="drop_host", orig_h="10.9.0.77", width=24)
    assert target_of(act) == ip_network("10.9.0.0/24")
    assert element_of(act, policy()) == Element(None)
    assert target_of(ask(kind="drop_host", orig_h="2001:db8::7", width=128)) == ip_network("2001:db8::7/128")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"kind": "reroute"}, "no such kind of act: reroute"),
        ({"lasts_s": 0.0}, "lasts 0 s"),
        ({"lasts_s": 1e9}, "366 days at most"),
        ({"lasts_s": float("nan")}, "lasts nan s"),
        ({"protocol": "icmp"}, "protocol icmp"),
        ({"resp_h": "2001:db8::1"}, "one IP version"),
        ({"resp_h": "10.1.0.2", "resp_p": 1025}, "and two"),
        ({"kind": "drop_host", "width": 7}, "width 7 of a subnet; must be 8 to 32"),
        ({"kind": "drop_host", "width": 33}, "width 33"),
        ({"kind": "drop_host", "orig_h": "2001:db8::", "width": 15}, "must be 16 to 128"),
    ],
)
def test_what_is_not_for_us(ask: Ask, fields: dict[str, Any], words: str) -> None:
    with pytest.raises(Refusal, match=words) as refused:
        target_of(ask(**{"kind": "qos", **fields}))
    assert refused.value.reason == "not_supported"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"priority": "best"}, "no_class"),
        ({"priority": None}, "not_supported"),
        ({"rate": 7_999}, "not_supported"),
        ({"rate": 10**13}, "not_supported"),
        ({"dscp": 64}, "not_supported"),
    ],
)
def test_marks_that_nobody_can_set(ask: Ask, policy: MakePolicy, fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(Refusal) as refused:
        element_of(ask(**fields), policy())
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    ("fields", "is_left_alone"),
    [
        ({}, False),
        ({"orig_h": "10.1.0.77"}, True),
        ({"resp_h": "192.0.2.1"}, True),
        ({"orig_h": "2001:db8:1::5", "resp_h": "2001:db8:2::5"}, True),
        ({"kind": "drop_host", "orig_h": "10.1.0.77"}, True),
        ({"kind": "drop_host", "orig_h": "10.1.0.0", "width": 16}, True),
        ({"kind": "drop_host", "orig_h": "10.0.0.0", "width": 8}, True),
        ({"kind": "drop_host", "orig_h": "10.1.1.0", "width": 24}, False),
        ({"kind": "drop_host", "orig_h": "2001:db8::", "width": 32}, True),
    ],
)
def test_addresses_left_alone(ask: Ask, policy: MakePolicy, fields: dict[str, Any], is_left_alone: bool) -> None:
    act = ask(**{"kind": "drop", **fields})
    leaves = policy(leave_alone=("10.1.0.64/26", "192.0.2.1", "2001:db8:1::/48"))
    if not is_left_alone:
        allowed(act, target_of(act), leaves)
        return
    with pytest.raises(Refusal, match=r"the policy leaves .* alone"):
        allowed(act, target_of(act), leaves)


def test_a_policy_that_only_logs_allows_nothing(ask: Ask, policy: MakePolicy) -> None:
    with pytest.raises(Refusal, match=r"^dry-run$"):
        allowed(ask(), target_of(ask()), policy("dry-run"))
