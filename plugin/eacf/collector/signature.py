"""Which connections look like TLS: Zeek's signatures, and the buffer in front of them.

The patterns are those of Zeek's scripts/base/protocols/ssl/dpd.sig; the buffering is that of
src/analyzer/protocol/pia/PIA.cc. Both are matched against the reassembled stream from its first byte.
"""

from __future__ import annotations

import re

CLIENT = re.compile(rb"\x16\x03[\x00-\x03]..\x01...\x03[\x00-\x03]", re.DOTALL)
SERVER = re.compile(
    rb"(?:\x15\x03[\x00-\x03]....)?\x16\x03[\x00-\x03]..\x02...(?:\x03[\x00-\x04]|\x7f[\x00-\x50])", re.DOTALL
)
CLIENT_BYTES = 11
SERVER_BYTES = 18

BUFFER_BYTES = 1024
"""Zeek: dpd_buffer_size, both sides together; beyond it nothing is recognised any more."""
BUFFER_CHUNKS = 100
"""Zeek: dpd_max_packets."""


class Matcher:
    """Holds the first deliveries of a connection until they are recognised or too many."""

    __slots__ = ("_able", "_bytes", "_heads", "chunks", "client_seen", "closed", "server_seen")

    def __init__(self) -> None:
        self.chunks: list[tuple[bool, bytes]] | None = []  # in order; an empty one is a gap
        self._bytes = 0
        self._heads = [b"", b""]
        self._able = [False, False]  # whether the headers of the first packet, responder's and originator's, were seen
        self.client_seen = self.server_seen = False
        self.closed = False

    def is_fresh(self) -> bool:
        """Whether nothing was delivered yet."""
        return not self.chunks

    def first_packet(self, is_orig: bool) -> None:
        """The first packet of a side came. Where Zeek misses it (a handshake without its SYN) nothing matches there.

        The signatures ask for TCP, and a matcher made later has no header to ask (Zeek: CheckPIA_FirstPacket).
        """
        self._able[is_orig] = True

    def deliver(self, is_orig: bool, data: bytes) -> tuple[bool, bool]:
        """Take a delivery. Returns whether (client, server) signature matched with it for the first time."""
        chunks = self.chunks
        assert chunks is not None
        chunks.append((is_orig, data))
        self._bytes += len(data)
        client = server = False
        head = self._heads[is_orig]
        if is_orig:
            if self._able[1] and not self.client_seen and len(head) < CLIENT_BYTES:
                head += data[:CLIENT_BYTES]
                self._heads[1] = head
                client = self.client_seen = CLIENT.match(head) is not None
        elif self._able[0] and not self.server_seen and len(head) < SERVER_BYTES:
            head += data[:SERVER_BYTES]
            self._heads[0] = head
            server = self.server_seen = SERVER.match(head) is not None
        self._check()
        return client, server

    def gap(self, is_orig: bool) -> None:
        assert self.chunks is not None
        self.chunks.append((is_orig, b""))
        self._check()

    def _check(self) -> None:
        assert self.chunks is not None
        if self._bytes > BUFFER_BYTES or len(self.chunks) > BUFFER_CHUNKS:
            self.closed = True
