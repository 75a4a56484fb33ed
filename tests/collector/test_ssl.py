"""Zeek's TLS analyzer as far as a sample shows it: names, versions, which records are encrypted, when it gives up."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eacf.collector.connection import Connection
from eacf.collector.ssl import Analyzer

SMALL = cast(Connection, SimpleNamespace(is_small=lambda: True))
LARGE = cast(Connection, SimpleNamespace(is_small=lambda: False))


def analyzer(conn: Connection = SMALL, limit: int = 1 << 16) -> Analyzer:
    return Analyzer(conn, limit)


def test_the_name_of_a_split_client_hello(make: SimpleNamespace) -> None:
    """Over records, too: each of 20 bytes, delivered byte by byte."""
    hello = make.client_hello("a.example", 300)
    stream = b"".join(make.record(22, hello[at : at + 20], 0x0301) for at in range(0, len(hello), 20))
    one = analyzer()
    for at in range(len(stream)):
        one.deliver(True, stream[at : at + 1])
    assert one.server_name == b"a.example"
    assert one.greeted
    assert not one.dead


def test_a_name_that_is_not_text_is_kept(make: SimpleNamespace) -> None:
    talk = make.Talk().shake().hello("caf\udcc3").say(False, make.record(23, bytes(10)))
    (found,) = make.feed(talk.packets)
    assert found.sample.server_name == "caf\udcc3"


@pytest.mark.parametrize(("tls13", "counted"), [(True, [5]), (False, [])])
def test_data_before_the_change_of_cipher_counts_in_tls_1_3_only(
    make: SimpleNamespace, tls13: bool, counted: list[int]
) -> None:
    one = analyzer()
    one.deliver(True, make.record(22, make.client_hello(), 0x0301))
    one.deliver(False, make.record(22, make.server_hello(tls13)))
    one.deliver(True, make.record(23, bytes(5)))
    assert one.records == counted


def test_after_the_change_of_cipher_it_counts_when_its_last_byte_came(make: SimpleNamespace) -> None:
    one = analyzer()
    one.deliver(True, make.record(22, make.client_hello(), 0x0301))
    one.deliver(False, make.record(22, make.server_hello(False)) + make.record(20, b"\x01"))
    data = make.record(23, bytes(9))
    one.deliver(False, data[:-1])
    assert one.records == []
    one.deliver(False, data[-1:])
    assert one.records == [-9]


def test_an_empty_record_is_not_told_of(make: SimpleNamespace) -> None:
    one = analyzer()
    one.deliver(True, make.record(23, b"") + make.record(23, b"x"))
    assert one.records == [1]


def test_who_says_hello_as_a_client_is_one(make: SimpleNamespace) -> None:
    one = analyzer()
    one.deliver(False, make.record(22, make.client_hello("b.example"), 0x0301))
    assert one.server_name == b"b.example"
    one.deliver(False, make.record(23, bytes(3)))
    assert one.records == [3]


@pytest.mark.parametrize(
    "start",
    [b"\x16\x04\x00\x00\x05", b"\x05\x03\x01\x00\x05", b"GET /", b"\x80\x2e\x09\x03\x01"],
    ids=["version", "type", "text", "sslv2"],
)
def test_what_is_not_tls_ends_it(start: bytes) -> None:
    one = analyzer()
    one.deliver(True, start + bytes(5))
    assert one.dead


def test_a_version_two_hello_is_passed_over(make: SimpleNamespace) -> None:
    one = analyzer()
    one.deliver(True, b"\x80\x0c\x01\x03\x01" + bytes(9))
    assert not one.dead
    one.deliver(False, make.record(22, make.server_hello(False)))
    assert one.negotiated == 0x0303


def test_a_broken_message_ends_it_while_the_connection_is_small(make: SimpleNamespace) -> None:
    certificate = b"\x0b\x00\x00\x06" + b"\x00\x00\x09" + bytes(3)
    for conn, dead in ((SMALL, True), (LARGE, False)):
        one = analyzer(conn)
        one.deliver(False, make.record(22, certificate))
        assert one.dead is dead


def test_a_message_too_long_to_hold_ends_it(make: SimpleNamespace) -> None:
    one = analyzer(limit=1000)
    one.deliver(True, make.record(22, b"\x01\x01\x00\x00" + bytes(100), 0x0301))
    assert one.dead
    assert one.dropped


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.binary(max_size=80)), max_size=12))
def test_any_bytes_do_no_harm(make: SimpleNamespace, pieces: list[tuple[bool, bytes]]) -> None:
    one = analyzer()
    one.deliver(True, make.record(22, make.client_hello(), 0x0301)[:40])
    for is_orig, data in pieces:
        one.deliver(is_orig, data)
