"""What Zeek's own TLS analyzer makes of a connection: server name, negotiated version, encrypted records.

After src/analyzer/protocol/ssl/{ssl-protocol,ssl-dtls-analyzer,tls-handshake-protocol}.pac of Zeek 8.0.10, as far as a
sample depends on it. Key exchanges are passed over by their length.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eacf.tls import (
    ALERT,
    APPLICATION_DATA,
    CHANGE_CIPHER_SPEC,
    CLIENT_HELLO,
    EXTENSION_SERVER_NAME,
    EXTENSION_SUPPORTED_VERSIONS,
    HANDSHAKE,
    HANDSHAKE_HEADER_BYTES,
    RECORD_HEADER_BYTES,
    SERVER_HELLO,
    Cursor,
    Malformed,
    host_names,
)

if TYPE_CHECKING:
    from eacf.collector.connection import Connection

PORTS = frozenset((443, 563, 585, 614, 636, 989, 990, 992, 993, 995, 5223))
"""Zeek: ssl_ports of scripts/base/protocols/ssl/main.zeek; here the analyzer runs without a signature."""

SSL_20 = 0x0002
RECORD_VERSIONS = frozenset((0x0300, 0x0301, 0x0302, 0x0303))
V2_HELLO_VERSIONS = RECORD_VERSIONS | {SSL_20}
DTLS_COOKIE_VERSIONS = frozenset((0xFEFF, 0xFEFD))
HELLO_VERSIONS = V2_HELLO_VERSIONS | {0x0304, 0xFEFF, 0xFEFD, 0xFEFC}
HEARTBEAT = 24
V2_CLIENT_HELLO = 301  # Zeek's own number
CERTIFICATE = 11


class _Flow:
    """One direction: the record and the handshake message at hand."""

    __slots__ = ("body", "head", "kind", "left", "length", "message", "needed", "skip")

    def __init__(self) -> None:
        self.head = b""
        self.kind = 0
        self.left = self.length = 0
        self.body: bytearray | None = None
        self.message = bytearray()  # handshake bytes not yet used
        self.needed = 0  # of them, before another look is worth it
        self.skip = 0  # of a handshake message that is of no interest


class Analyzer:
    """Takes deliveries; appends to `records`, sets `server_name`; `dead` once Zeek's would have given up."""

    __slots__ = (
        "_conn",
        "_encrypted",
        "_flipped",
        "_flows",
        "_version",
        "dead",
        "dropped",
        "established",
        "greeted",
        "handshake_bytes",
        "negotiated",
        "records",
        "server_name",
    )

    def __init__(self, conn: Connection, handshake_bytes: int) -> None:
        self._conn = conn
        self._flows = (_Flow(), _Flow())  # responder's, originator's
        self._encrypted = [False, False]
        self._flipped = False
        self._version = 0  # of the record layer; 0: not known yet
        self.handshake_bytes = handshake_bytes
        self.negotiated = 0
        self.established = False
        self.greeted = False  # a whole ClientHello was read
        self.dead = False
        self.dropped = False  # given up for its size
        self.records: list[int] = []
        self.server_name: bytes | None = None

    def deliver(self, is_orig: bool, data: bytes) -> None:
        flow = self._flows[is_orig]
        at, end = 0, len(data)
        while at < end and not self.dead:
            if flow.left:
                take = min(flow.left, end - at)
                if flow.body is not None:
                    flow.body += data[at : at + take]
                flow.left -= take
                at += take
            else:
                take = min(RECORD_HEADER_BYTES - len(flow.head), end - at)
                flow.head += data[at : at + take]
                at += take
                if len(flow.head) < RECORD_HEADER_BYTES:
                    return
                self._header(flow, is_orig)
                if not flow.left:
                    continue  # an empty record holds no element that Zeek would tell of
            if not flow.left:
                self._record(flow, is_orig)

    def _header(self, flow: _Flow, is_orig: bool) -> None:
        """Zeek: determine_ssl_record_layer."""
        head, flow.head = flow.head, b""
        version = head[1] << 8 | head[2]
        flow.kind, flow.left, flow.body = head[0], head[3] << 8 | head[4], None
        if self._version:
            if version not in RECORD_VERSIONS:
                self.dead = True
        elif head[0] & 0x80:
            # An SSLv2 hello; a server that answers with one stays with SSLv2, which has no records of type 23.
            if head[2] != 1 or not is_orig or (head[3] << 8 | head[4]) not in V2_HELLO_VERSIONS:
                self.dead = True
            flow.kind, flow.left = V2_CLIENT_HELLO, ((head[0] & 0x7F) << 8 | head[1]) - 3
            self.dead = self.dead or flow.left < 0
        elif version not in RECORD_VERSIONS or not 20 <= head[0] <= 30:
            self.dead = True
        else:
            self._version = version
        flow.length = flow.left
        if flow.kind == HANDSHAKE and not self._encrypted[is_orig]:
            flow.body = bytearray()

    def _record(self, flow: _Flow, is_orig: bool) -> None:
        kind = flow.kind
        if not self._encrypted[is_orig]:
            if kind == APPLICATION_DATA and self.negotiated not in V2_HELLO_VERSIONS:
                self._encrypted[is_orig] = True  # TLS 1.3, or no ServerHello yet (Zeek: determine_state)
            else:
                self._plain(flow, is_orig)
                return
        if all(self._encrypted):
            self.established = True
        if kind == APPLICATION_DATA:
            self.records.append(flow.length if is_orig != self._flipped else -flow.length)

    def _plain(self, flow: _Flow, is_orig: bool) -> None:
        """A record that is not encrypted (Zeek: PlaintextRecord)."""
        if flow.kind == HANDSHAKE and flow.body is not None:
            try:
                self._handshake(flow, flow.body, is_orig)
            except Malformed:
                flow.message = bytearray()
                self._violation()
        elif flow.kind == CHANGE_CIPHER_SPEC:
            if not self._is_tls13():
                self._encrypted[is_orig] = True
        elif flow.kind not in (ALERT, APPLICATION_DATA, HEARTBEAT, V2_CLIENT_HELLO):
            self._violation()

    def _violation(self) -> None:
        """Zeek drops an analyzer at a violation while the connection is small (frameworks/analyzer/dpd.zeek)."""
        if self._conn.is_small():
            self.dead = True

    def _is_tls13(self) -> bool:
        return self.negotiated == 0x0304 or self.negotiated // 0xFF == 0x7F

    def _handshake(self, flow: _Flow, body: bytes | bytearray, is_orig: bool) -> None:
        if flow.message:
            flow.message += body
            if len(flow.message) < flow.needed:
                return
            body = flow.message
        message = bytes(body)
        flow.message = bytearray()
        at, end = min(flow.skip, len(message)), len(message)
        flow.skip -= at
        while end - at >= HANDSHAKE_HEADER_BYTES and not self.dead:
            kind = message[at]
            stop = at + HANDSHAKE_HEADER_BYTES + int.from_bytes(message[at + 1 : at + 4], "big")
            if kind not in (CLIENT_HELLO, SERVER_HELLO, CERTIFICATE):
                flow.skip = max(0, stop - end)
                at = min(stop, end)
                continue
            if stop - at > self.handshake_bytes:
                self.dead = self.dropped = True
                return
            if stop > end:
                flow.needed = stop - at
                break
            self._message(kind, Cursor(message, at + HANDSHAKE_HEADER_BYTES, stop), is_orig)
            at = stop
        else:
            flow.needed = HANDSHAKE_HEADER_BYTES
        flow.message = bytearray(message[at:])

    def _message(self, kind: int, cursor: Cursor, is_orig: bool) -> None:
        """A whole handshake message that matters."""
        if kind == CERTIFICATE:
            _check_certificates(cursor)
            return
        # Whoever says hello as a client is one, whatever the addresses look like (Zeek: check_flipped).
        self._flipped = is_orig != (kind == CLIENT_HELLO)
        if kind == CLIENT_HELLO:
            self._client_hello(cursor, is_orig)
        else:
            self._server_hello(cursor, is_orig)

    def _client_hello(self, cursor: Cursor, is_orig: bool) -> None:
        """RFC 8446 section 4.1.2; RFC 6347 section 4.2.1 for the cookie."""
        version = cursor.number(2)
        cursor.skip(32)
        cursor.skip(cursor.number(1))
        if version in DTLS_COOKIE_VERSIONS:
            cursor.skip(cursor.number(1))
        cursor.skip(cursor.number(2) & ~1)  # Zeek reads whole cipher suites, and goes on after the last whole one
        cursor.skip(cursor.number(1))
        self._extensions(cursor, is_orig)
        self._check_version(version)
        self.greeted = True

    def _server_hello(self, cursor: Cursor, is_orig: bool) -> None:
        """RFC 8446 section 4.1.3; the drafts of TLS 1.3 up to 21 have neither session id nor compression."""
        version = cursor.number(2)
        cursor.skip(32)
        if version == 0x0304 or version >> 8 == 0x7F:
            cursor.skip(2)
        else:
            cursor.skip(cursor.number(1))
            cursor.skip(3)
        self._extensions(cursor, is_orig)
        self._negotiate(version)
        self._check_version(version)

    def _extensions(self, cursor: Cursor, is_orig: bool) -> None:
        """RFC 8446 section 4.2. Read by hand, since every ClientHello has a dozen."""
        if not cursor.left():
            return
        cursor.number(2)
        data, at, end = cursor.data, cursor.at, cursor.end
        while at < end:
            if end - at < 4:
                raise Malformed(f"extension header cut at {end - at} of 4 bytes")
            kind = data[at] << 8 | data[at + 1]
            stop = at + 4 + (data[at + 2] << 8 | data[at + 3])
            if stop > end:
                raise Malformed(f"extension of {stop - at} bytes in {end - at}")
            if kind == EXTENSION_SERVER_NAME:
                names = host_names(data[at + 4 : stop])
                if names and is_orig != self._flipped:
                    self.server_name = names[0]
            elif kind == EXTENSION_SUPPORTED_VERSIONS and is_orig == self._flipped:
                self._negotiate(Cursor(data, at + 4, stop).number(2))
            at = stop

    def _negotiate(self, version: int) -> None:
        if not self.negotiated:
            self.negotiated = self._conn.tls_version = version

    def _check_version(self, version: int) -> None:
        if version not in HELLO_VERSIONS and version >> 8 != 0x7F:
            self.dead = True


def _check_certificates(cursor: Cursor) -> None:
    """RFC 5246 section 7.4.2; a list that does not add up is a violation to Zeek."""
    length = cursor.number(3)
    if length > cursor.left():
        raise Malformed(f"certificates of {length} bytes in {cursor.left()}")
    cursor.end = cursor.at + length
    while cursor.left():
        cursor.skip(cursor.number(3))
