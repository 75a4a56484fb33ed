"""How it reads for nft; that nft and the kernel take it is asked in test_table."""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network

from hypothesis import given
from hypothesis import strategies as st

from eacf.enforce.ruleset import (
    Change,
    Element,
    Marks,
    Pair,
    add_chains,
    chain_names,
    look_into,
    removals,
    transaction,
)

PAIR = Pair("tcp", (ip_address("10.1.0.2"), 5000), (ip_address("10.2.0.2"), 443))
SIX = Pair("udp", (ip_address("2001:db8::1"), 5000), (ip_address("2001:db8::2"), 443))
MARKS = Marks("label youtube", 16, 0x10010, 34, None)
DROP = Element(None)


def test_both_directions_come_with_their_time_and_grace() -> None:
    text = transaction([Change(PAIR, None, DROP, 110.2)], {}, 100.0)
    assert text == (
        "add element inet eacf acts4 { 10.1.0.2 . tcp . 5000 . 10.2.0.2 . 443 timeout 13s : drop, "
        "10.2.0.2 . tcp . 443 . 10.1.0.2 . 5000 timeout 13s : drop }"
    )


def test_each_direction_has_its_own_rate() -> None:
    marks = Marks("group bulk", None, None, None, 1_000_000)
    chains = {marks: chain_names(marks, 3)}
    assert chains[marks] == ("group_bulk_3_orig", "group_bulk_3_resp")
    orig_low = transaction([Change(PAIR, None, Element(marks, True), 1.0)], chains, 0.0)
    orig_high = transaction([Change(PAIR, None, Element(marks, False), 1.0)], chains, 0.0)
    assert re.findall(r"\{ (\S+) .* jump (\w+), (\S+) .* jump (\w+) \}", orig_low) == [
        ("10.1.0.2", "group_bulk_3_orig", "10.2.0.2", "group_bulk_3_resp")
    ]
    assert re.findall(r"jump (\w+)", orig_high) == ["group_bulk_3_resp", "group_bulk_3_orig"]


def test_what_goes_stands_before_what_comes_and_all_of_a_set_in_one_line() -> None:
    chains = {MARKS: chain_names(MARKS, 1)}
    changes = [
        Change(PAIR, DROP, Element(MARKS), 60.0),
        Change(SIX, None, DROP, 60.0),
        Change(ip_network("10.9.0.7/32"), None, DROP, 60.0),
        Change(ip_network("10.9.0.0/24"), DROP, None, 0.0),
    ]
    lines = transaction(changes, chains, 0.0).splitlines()
    assert [line.split(" {")[0] for line in lines] == [
        "delete element inet eacf acts4",
        "delete element inet eacf hosts4_24",
        "add element inet eacf acts4",
        "add element inet eacf acts6",
        "add element inet eacf hosts4",
    ]
    assert lines[1].endswith("{ 10.9.0.0 }")
    assert lines[4].endswith("{ 10.9.0.7 timeout 62s }")


def test_chains_do_what_the_marks_say() -> None:
    marks = Marks("unknown", 16, 0x10010, 34, 8_000)
    assert add_chains(marks, ("u_orig", "u_resp")).splitlines()[:6] == [
        "add chain inet eacf u_orig",
        "add rule inet eacf u_orig limit rate over 1000 bytes/second burst 65536 bytes drop",
        "add rule inet eacf u_orig ct mark set 16",
        "add rule inet eacf u_orig meta priority set 0x00010010",
        "add rule inet eacf u_orig ip dscp set 34",
        "add rule inet eacf u_orig ip6 dscp set 34",
    ]
    assert add_chains(Marks("unknown", None, None, 0, None), ("u_1", "u_1")).splitlines()[1] == (
        "add rule inet eacf u_1 ip dscp set 0"
    )


@given(st.text(max_size=300), st.integers(0, 10**9))
def test_no_key_from_the_bus_steers_a_name(key: str, number: int) -> None:
    for rate in (None, 1_000_000):
        for name in chain_names(Marks(key, None, None, None, rate), number):
            assert re.fullmatch(r"[a-z][a-z0-9_]{0,80}", name), name
            assert str(number) in name


def test_a_width_is_a_set_and_two_rules_before_the_map() -> None:
    lines = look_into([(4, 20), (6, 128)], come=[(4, 20)], gone=[(6, 48)]).splitlines()
    assert lines[:4] == [
        "add set inet eacf hosts4_20 { type ipv4_addr; flags timeout; }",
        "flush chain inet eacf forward",
        "add rule inet eacf forward ip saddr & 255.255.240.0 @hosts4_20 drop",
        "add rule inet eacf forward ip daddr & 255.255.240.0 @hosts4_20 drop",
    ]
    assert lines[4] == "add rule inet eacf forward ip6 saddr @hosts6 drop"
    assert [line.split(" vmap ")[1] for line in lines[6:8]] == ["@acts4", "@acts6"]
    assert lines[8:] == ["delete set inet eacf hosts6_48"]


def test_removals_are_one_element_each() -> None:
    assert removals(PAIR) == [
        "delete element inet eacf acts4 { 10.1.0.2 . tcp . 5000 . 10.2.0.2 . 443 }",
        "delete element inet eacf acts4 { 10.2.0.2 . tcp . 443 . 10.1.0.2 . 5000 }",
    ]
