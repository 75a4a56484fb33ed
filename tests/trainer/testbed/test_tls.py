"""Real handshakes in memory."""

from __future__ import annotations

import struct

import pytest

from eacf_trainer.testbed.tls import Connection, Peer


def records(flights: list[tuple[bool, bytes]]) -> list[tuple[int, int]]:
    found = []
    for _, wire in flights:
        offset = 0
        while offset < len(wire):
            kind, _, length = struct.unpack_from("!BHH", wire, offset)
            found.append((kind, length))
            offset += 5 + length
        assert offset == len(wire)
    return found


@pytest.mark.parametrize("alpn", ["", "h2"])
@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_a_handshake_and_data(version: str, alpn: str) -> None:
    ends = Connection(Peer(version, alpn, "www.site.example", 1, 2))
    flights = ends.handshake()
    assert flights[0][0] is True
    assert records(flights)[0][0] == 22
    encrypted = [length for kind, length in records(flights) if kind == 23]
    assert bool(encrypted) is (version == "1.3")
    overhead = {"1.2": 24, "1.3": 17}[version]
    assert records([(True, ends.send(True, [100]))]) == [(23, 100 + overhead)]
    assert records([(False, ends.send(False, [40_000, 1]))]) == [
        (23, size + overhead) for size in (16_384, 16_384, 7_232, 1)
    ]


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_resumption_shortens_the_handshake(version: str) -> None:
    peer = Peer(version, "h2", "www.site.example", 5, 2)
    first = Connection(peer)
    full = sum(length for _, length in records(first.handshake()))
    first.send(True, [10])
    again = Connection(peer, first.session)
    assert sum(length for _, length in records(again.handshake())) < full - 400


def test_tickets_are_as_many_as_asked_for() -> None:
    counts = [len(records(Connection(Peer("1.3", "", "a.example", 2, tickets)).handshake())) for tickets in (0, 1, 2)]
    assert [counts[1] - counts[0], counts[2] - counts[1]] == [1, 1]


def test_a_server_answers_each_client_in_its_own_protocol() -> None:
    """Whoever came before: lengths must follow from the seed alone, and the answer to ALPN is in them."""

    def lengths(alpn: str) -> list[tuple[int, int]]:
        return records(Connection(Peer("1.3", alpn, "www.site.example", 4, 1)).handshake())

    first = {alpn: lengths(alpn) for alpn in ("h2", "http/1.1", "")}
    assert {alpn: lengths(alpn) for alpn in ("http/1.1", "", "h2")} == first
    assert len({str(each) for each in first.values()}) == 3
