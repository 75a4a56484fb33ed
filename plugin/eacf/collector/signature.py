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

    __slots__ = ("_bytes", "_client", "_server", "chunks", "client_able", "closed", "server_able")

    def __init__(self) -> None:
        self.chunks: list[tuple[bool, bytes]] = []  # in order; an empty one is a gap
        self._bytes = 0
        self._client = self._server = b""  # first bytes of either side
        self.client_able = self.server_able = False  # may a signature match there, now and later?
        self.closed = False

    def first_packet(self, is_orig: bool) -> None:
        """The first packet of a side came. Where Zeek misses it (a handshake without its SYN) nothing matches there.

        The signatures ask for TCP, and a matcher made later has no header to ask (Zeek: CheckPIA_FirstPacket).
        """
        if is_orig:
            self.client_able = True
        else:
            self.server_able = True

    def deliver(self, is_orig: bool, data: bytes) -> tuple[bool, bool]:
        """Take a delivery. Returns whether the (client's, server's) signature matched with it."""
        self.chunks.append((is_orig, data))
        self._bytes += len(data)
        client = server = False
        if is_orig:
            if self.client_able:
                self._client += data[:CLIENT_BYTES]
                client = CLIENT.match(self._client) is not None
                self.client_able = len(self._client) < CLIENT_BYTES
        elif self.server_able:
            self._server += data[:SERVER_BYTES]
            server = SERVER.match(self._server) is not None
            self.server_able = len(self._server) < SERVER_BYTES and not server
        self._check()
        return client, server

    def gap(self, is_orig: bool) -> None:
        self.chunks.append((is_orig, b""))
        self._check()

    def _check(self) -> None:
        if self._bytes > BUFFER_BYTES or len(self.chunks) > BUFFER_CHUNKS:
            self.closed = True
