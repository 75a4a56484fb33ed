"""Lengths on the wire, and reads that end where the body ends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eacf.errors import WireError
from eacf.wire.cursor import MAX_VARBYTE, Cursor, varbyte


@given(st.integers(0, MAX_VARBYTE), st.binary(max_size=3))
def test_a_length_both_ways(number: int, rest: bytes) -> None:
    cursor = Cursor(varbyte(number) + rest, 0, 0)
    assert cursor.varbyte("length") == number
    assert cursor.left == len(rest)


@pytest.mark.parametrize(
    ("number", "data"), [(0, "00"), (127, "7f"), (128, "8001"), (300, "ac02"), (16383, "ff7f"), (16384, "808001")]
)
def test_lengths_by_hand(number: int, data: str) -> None:
    assert varbyte(number).hex() == data


def test_a_length_beyond_32_bits_is_refused() -> None:
    with pytest.raises(WireError, match="more than 4294967295"):
        varbyte(MAX_VARBYTE + 1)


def test_reads_end_with_the_body() -> None:
    cursor = Cursor(b"abc", 1, 0)
    assert cursor.take(2, "field") == b"bc"
    for read in (lambda: cursor.byte("field"), lambda: cursor.take(1, "field"), lambda: cursor.varbyte("field")):
        with pytest.raises(WireError, match="byte 3: field"):
            read()
    assert cursor.position == 3
