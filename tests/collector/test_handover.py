"""Protocols that go over to TLS: told apart by what client and server agree."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from eacf.collector.handover import HEAD_BYTES, NEVER, TLS, TUNNEL, WAIT, Handover
from eacf.flow import Needs

Line = tuple[bool, bytes]
SERVER, CLIENT = False, True
GREETING = [(SERVER, b"220 mail ESMTP\r\n"), (CLIENT, b"EHLO a\r\n"), (SERVER, b"250-a\r\n250 STARTTLS\r\n")]
MYSQL = (SERVER, b"\x4a\0\0\0\x0a8.0\0" + bytes(60))
SOCKS_REQUEST = (CLIENT, b"\x05\x01\x00\x03\x01a\x01\xbb")
SOCKS_REPLY = (SERVER, b"\x05\0\0\x01" + bytes(6))
RDP_REQUEST = (CLIENT, b"\x03\0\0\x13\x0e\xe0" + bytes(13))
RDP_CONFIRM = (SERVER, b"\x03\0\0\x13\x0e\xd0" + bytes(5) + b"\x02\0\x08\0\x01\0\0\0")
AGREEMENTS: dict[str, tuple[int, list[Line]]] = {
    "smtp": (TLS, [*GREETING, (CLIENT, b"STARTTLS\r\n"), (SERVER, b"220 go\r\n")]),
    "ftp": (TLS, [(SERVER, b"220 ready\r\n"), (CLIENT, b"AUTH TLS\r\n"), (SERVER, b"234 yes\r\n")]),
    "pop3": (TLS, [(SERVER, b"+OK hi\r\n"), (CLIENT, b"STLS\r\n"), (SERVER, b"+OK go\r\n")]),
    "imap": (TLS, [(SERVER, b"* OK\r\n"), (CLIENT, b"a1 STARTTLS\r\n"), (SERVER, b"a1 OK go\r\n")]),
    "xmpp": (
        TLS,
        [(CLIENT, b"<stream>"), (SERVER, b"<f/>"), (CLIENT, b"<starttls xmlns='x'/>"), (SERVER, b"<proceed/>")],
    ),
    "mysql": (TLS, [MYSQL, (CLIENT, b"\x20\0\0\x01\x00\x08" + bytes(30))]),
    "rdp": (TLS, [RDP_REQUEST, RDP_CONFIRM]),
    "http": (
        TUNNEL,
        [(CLIENT, b"CONNECT a:443 HTTP/1.1\r\n\r\n"), (SERVER, b"HTTP/1.1 200 OK\r\n"), (SERVER, b"\r\n")],
    ),
    "socks": (TUNNEL, [(CLIENT, b"\x05\x01\x00"), (SERVER, b"\x05\x00"), SOCKS_REQUEST, SOCKS_REPLY]),
    "socks, user": (
        TUNNEL,
        [
            (CLIENT, b"\x05\x01\x02"),
            (SERVER, b"\x05\x02"),
            (CLIENT, b"\x01\x01u\x01p"),
            (SERVER, b"\x01\x00"),
            SOCKS_REQUEST,
            SOCKS_REPLY,
        ],
    ),
}
REFUSALS: dict[str, list[Line]] = {
    "web page": [(CLIENT, b"GET / HTTP/1.1\r\n\r\n")],
    "binary": [(CLIENT, b"\x01\x02\x03\xff")],
    "proxy says no": [(CLIENT, b"CONNECT a:443 HTTP/1.1\r\n\r\n"), (SERVER, b"HTTP/1.1 407 no\r\n\r\n")],
    "socks 4": [(CLIENT, b"\x04\x01\x01\xbb" + bytes(5)), (SERVER, b"\0\x5a" + bytes(6))],
    "postgresql": [(CLIENT, b"\0\0\0\x08\x04\xd2\x16\x2f"), (SERVER, b"S")],
    "mysql without": [MYSQL, (CLIENT, b"\x20\0\0\x01\x00\x00" + bytes(30))],
    "too much": [(CLIENT, b"a" * (HEAD_BYTES + 1))],
}


@pytest.mark.parametrize("name", AGREEMENTS)
def test_agreements(name: str) -> None:
    expected, lines = AGREEMENTS[name]
    one = Handover()
    assert [one.deliver(*line) for line in lines] == [WAIT] * (len(lines) - 1) + [expected]


@pytest.mark.parametrize("name", REFUSALS)
def test_refusals(name: str) -> None:
    one = Handover()
    assert NEVER in [one.deliver(*line) for line in REFUSALS[name]]


@pytest.mark.parametrize("name", AGREEMENTS)
def test_what_follows_is_taken_up(make: SimpleNamespace, name: str) -> None:
    """Behind a proxy as a stream too; after STARTTLS and its like by Zeek's TLS analyzer alone."""
    expected, lines = AGREEMENTS[name]
    talk = make.Talk(dport=9999).shake()
    for line in lines:
        talk.say(*line)
    talk.hello().say(False, make.record(23, bytes(100)))
    found = make.feed(talk.packets, also=Needs(0, 0, 8, False))
    assert [one.sample.server_name for one in found if one.also] == ["www.example.org"]
    assert [one.sample.payload for one in found if not one.also] == ([bytes(100)] if expected == TUNNEL else [])


def test_plain_text_for_ever_is_let_go(make: SimpleNamespace) -> None:
    one = Handover()
    assert NEVER in [one.deliver(CLIENT, b"NOOP\r\n") for _ in range(HEAD_BYTES)]
