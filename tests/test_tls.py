"""Record walking gives the same however the stream is cut; server names come out, broken ones are told."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eacf.tls import APPLICATION_DATA, Cursor, Malformed, RecordWalk, host_names

RECORDS = st.lists(st.tuples(st.sampled_from([20, 21, 22, 23, 24]), st.binary(max_size=60)), max_size=20)


def stream(records: list[tuple[int, bytes]]) -> bytes:
    return b"".join(bytes((kind, 3, 3)) + len(body).to_bytes(2, "big") + body for kind, body in records)


@given(RECORDS, st.lists(st.integers(1, 40), max_size=60), st.sampled_from([1, -1]))
def test_any_cut_of_the_stream_gives_the_same_payload(
    records: list[tuple[int, bytes]], cuts: list[int], sign: int
) -> None:
    data = stream(records)
    walk = RecordWalk()
    lengths: list[int] = []
    payload = b""
    at = 0
    for cut in [*cuts, len(data)]:
        payload += walk.feed(data[at : at + cut], lengths, sign)
        at += cut
    assert payload == b"".join(body for kind, body in records if kind == APPLICATION_DATA)
    assert lengths == [sign * len(body) for kind, body in records if kind == APPLICATION_DATA]


def test_a_length_counts_with_its_header_and_payload_with_its_bytes() -> None:
    lengths: list[int] = []
    walk = RecordWalk()
    assert walk.feed(bytes((23, 3, 3, 0, 9)), lengths, -1) == b""
    assert lengths == [-9]
    assert walk.feed(b"abc", lengths, -1) == b"abc"


@given(st.lists(st.binary(max_size=30), max_size=5))
def test_host_names_are_read(names: list[bytes]) -> None:
    body = b"".join(b"\0" + len(name).to_bytes(2, "big") + name for name in names)
    assert host_names(len(body).to_bytes(2, "big") + body) == names


def test_an_empty_extension_has_no_name() -> None:
    assert host_names(b"") == []


def test_a_name_of_another_kind_ends_the_list() -> None:
    assert host_names(b"\0\x08\0\0\x01a\x07bcd") == [b"a"]


@pytest.mark.parametrize("broken", [b"\0", b"\0\x09\0\0\x01a", b"\0\x04\0\0\x09a", b"\0\x02\0\0"])
def test_a_broken_list_is_told(broken: bytes) -> None:
    with pytest.raises(Malformed):
        host_names(broken)


@given(st.binary(max_size=40))
def test_any_bytes_give_names_or_malformed(data: bytes) -> None:
    with suppress(Malformed):
        host_names(data)


def test_a_cursor_stops_at_its_end() -> None:
    cursor = Cursor(b"\x01\x02\x03\x04", 1, 3)
    assert cursor.number(2) == 0x0203
    assert cursor.left() == 0
    for read in (cursor.take, cursor.number, cursor.skip):
        with pytest.raises(Malformed):
            read(1)
