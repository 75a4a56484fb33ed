"""TLS is known by its first bytes on any port, and by nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eacf.collector.signature import BUFFER_BYTES, BUFFER_CHUNKS, Matcher

HELLO = bytes.fromhex("16030100a0010000 9c0303".replace(" ", "")) + bytes(32)
ANSWER = bytes.fromhex("16030300510200004d0303") + bytes(32)


def ready() -> Matcher:
    matcher = Matcher()
    matcher.first_packet(True)
    matcher.first_packet(False)
    return matcher


@given(st.lists(st.integers(1, 9), max_size=12))
def test_a_client_hello_however_cut(cuts: list[int]) -> None:
    matcher = ready()
    at, seen = 0, []
    for cut in [*cuts, len(HELLO)]:
        piece = HELLO[at : at + cut]
        if piece:
            seen.append(matcher.deliver(True, piece))
        at += cut
    assert sum(client for client, _ in seen) == 1


def test_a_server_hello_with_an_alert_before_it() -> None:
    assert ready().deliver(False, ANSWER) == (False, True)
    assert ready().deliver(False, bytes.fromhex("15030300020100") + ANSWER) == (False, True)


@pytest.mark.parametrize("at", [0, 1, 2, 5, 9, 10])
def test_any_other_byte_there_is_not_tls(at: int) -> None:
    broken = bytearray(HELLO)
    broken[at] = 0x7A
    assert ready().deliver(True, bytes(broken)) == (False, False)


def test_the_wrong_side_does_not_match() -> None:
    assert ready().deliver(False, HELLO) == (False, False)
    assert ready().deliver(True, ANSWER) == (False, False)


def test_a_side_whose_first_packet_was_missed_does_not_match() -> None:
    matcher = Matcher()
    assert matcher.deliver(True, HELLO) == (False, False)


def test_the_buffer_ends() -> None:
    matcher = ready()
    matcher.deliver(False, bytes(BUFFER_BYTES))
    assert not matcher.closed
    assert matcher.deliver(True, HELLO) == (True, False)
    assert matcher.closed
    pieces = ready()
    for _ in range(BUFFER_CHUNKS + 1):
        pieces.gap(True)
    assert pieces.closed
