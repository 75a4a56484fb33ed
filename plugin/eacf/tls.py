"""The little of TLS that an observer needs: record headers, and the server name in a ClientHello.

Pure functions and small state machines over bytes; nothing here knows of packets. What looks odd follows Zeek's
analyzer (src/analyzer/protocol/ssl), since a sample must be the same whoever took it.
"""

from __future__ import annotations

# RFC 8446 section 5.1: opaque type(1), legacy_record_version(2), length(2).
RECORD_HEADER_BYTES = 5
CHANGE_CIPHER_SPEC = 20
ALERT = 21
HANDSHAKE = 22
APPLICATION_DATA = 23

# RFC 8446 section 4: msg_type(1), length(3).
HANDSHAKE_HEADER_BYTES = 4
CLIENT_HELLO = 1
SERVER_HELLO = 2

# RFC 6066 section 3, RFC 8446 section 4.2.1.
EXTENSION_SERVER_NAME = 0
EXTENSION_SUPPORTED_VERSIONS = 43
NAME_TYPE_HOST_NAME = 0


class RecordWalk:
    """Walks the records of one direction of a TLS stream, however the stream is cut into pieces.

    The header of each record is left out, and so is every record that is not application data.
    """

    __slots__ = ("_head", "_keep", "_left")

    def __init__(self) -> None:
        self._head = b""  # of a header that is split over two pieces
        self._left = 0  # bytes of the record at hand still to come
        self._keep = False  # whether it is application data

    def feed(self, data: bytes, records: list[int], sign: int) -> bytes:
        """Return the application data in `data`; append ``sign * length`` of each such record's header to `records`."""
        at = 0
        end = len(data)
        left = self._left
        if left >= end:  # wholly within the record at hand, as most data is
            self._left = left - end
            return data if self._keep else b""
        payload = b""
        while at < end:
            left = self._left
            if not left:
                if self._head or end - at < RECORD_HEADER_BYTES:
                    head = self._head + data[at : at + RECORD_HEADER_BYTES - len(self._head)]
                    at += len(head) - len(self._head)
                    if len(head) < RECORD_HEADER_BYTES:
                        self._head = head
                        break
                    self._head = b""
                    kind, left = head[0], head[3] << 8 | head[4]
                else:
                    kind, left = data[at], data[at + 3] << 8 | data[at + 4]
                    at += RECORD_HEADER_BYTES
                self._keep = kind == APPLICATION_DATA
                if self._keep:
                    records.append(sign * left)
            stop = at + left
            if stop > end:
                self._left = stop - end
                stop = end
            else:
                self._left = 0
            if self._keep:
                payload += data[at:stop]
            at = stop
        return payload


class Malformed(ValueError):
    """A handshake message does not hold what its own lengths say."""


class Cursor:
    """Reads big-endian integers and byte strings; a read past the end raises :class:`Malformed`."""

    __slots__ = ("at", "data", "end")

    def __init__(self, data: bytes, at: int = 0, end: int | None = None) -> None:
        self.data = data
        self.at = at
        self.end = len(data) if end is None else end

    def take(self, count: int) -> bytes:
        at = self.at
        if count > self.end - at:
            raise Malformed(f"{count} bytes asked at offset {at} of {self.end}")
        self.at = at + count
        return self.data[at : at + count]

    def skip(self, count: int) -> None:
        self.at += count
        if self.at > self.end:
            raise Malformed(f"{count} bytes skipped at offset {self.at - count} of {self.end}")

    def number(self, count: int) -> int:
        at = self.at
        self.at = stop = at + count
        if stop > self.end:
            raise Malformed(f"a number of {count} bytes at offset {at} of {self.end}")
        return int.from_bytes(self.data[at:stop], "big")

    def left(self) -> int:
        return self.end - self.at


def host_names(extension: bytes) -> list[bytes]:
    """Host names of a server_name extension's data (RFC 6066 section 3; Zeek's tls-handshake-protocol.pac)."""
    if not extension:
        return []
    cursor = Cursor(extension)
    names = []
    inner = Cursor(extension, 2, 2 + cursor.number(2))
    if inner.end > len(extension):
        raise Malformed(f"server name list of {inner.end - 2} bytes in {len(extension) - 2}")
    while inner.left():
        if inner.number(1) != NAME_TYPE_HOST_NAME:
            break
        names.append(inner.take(inner.number(2)))
    return names
