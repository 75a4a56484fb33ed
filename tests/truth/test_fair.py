from __future__ import annotations

from collections import Counter
from ipaddress import IPv4Address, IPv6Address

from hypothesis import given
from hypothesis import strategies as st

from eacf.truth.fair import SHARE, Fair, client_of


def test_what_goes_out_is_the_oldest() -> None:
    held: Fair[int] = Fair(10)
    assert [held.push(number, number) for number in range(12)] == [None] * 10 + [0, 1]
    assert held.things() == list(range(2, 12))
    assert (len(held), held.clients, held.oldest) == (10, 10, 2)


def test_who_has_its_share_pushes_out_its_own() -> None:
    held: Fair[str] = Fair(10)
    for number in range(8):
        held.push(number, f"other {number}")
    assert [held.push(99, f"own {number}") for number in range(5)] == [None, None, "own 0", "own 1", "own 2"]
    assert held.things()[-2:] == ["own 3", "own 4"]
    assert len(held) == 10


@given(st.integers(1, 40), st.lists(st.integers(0, 6), max_size=200))
def test_no_client_has_more_than_its_share(room: int, clients: list[int]) -> None:
    held: Fair[tuple[int, int]] = Fair(room)
    gone = 0
    for number, client in enumerate(clients):
        gone += held.push(client, (client, number)) is not None
        counts = Counter(each for each, _ in held.things())
        assert max(counts.values()) <= max(1, room // SHARE)
        assert len(held) == counts.total() <= room
        assert held.clients == len(counts)
        assert held.things()[-1] == (client, number)
    assert gone + len(held) == len(clients)
    assert held.things() == sorted(held.things(), key=lambda thing: thing[1])


def test_a_client_is_an_address_or_with_ipv6_its_network() -> None:
    assert client_of(IPv4Address("192.0.2.1")) != client_of(IPv4Address("192.0.2.2"))
    assert client_of(IPv6Address("2001:db8::1")) == client_of(IPv6Address("2001:db8::ffff:1"))
    assert client_of(IPv6Address("2001:db8::1")) != client_of(IPv6Address("2001:db8:0:1::1"))
    assert client_of(IPv6Address("::1")) != client_of(IPv4Address(0))
