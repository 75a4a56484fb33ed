"""One TLS connection with real OpenSSL on both ends and no socket between: what each end would put on the wire, in order."""

from __future__ import annotations

import contextlib
import ssl
from dataclasses import dataclass
from functools import cache
from typing import Literal

from eacf_trainer.testbed.pki import server_context

Version = Literal["1.2", "1.3"]
FILLER = bytes(1 << 14)
"""Plaintext of every message. What it holds does not matter: it is encrypted under keys made anew for each connection."""


@cache
def client_context(version: Version, alpn: str) -> ssl.SSLContext:
    """A client that offers one version and one protocol, and does not check certificates (they are made up)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    exact = ssl.TLSVersion.TLSv1_3 if version == "1.3" else ssl.TLSVersion.TLSv1_2
    context.minimum_version = context.maximum_version = exact
    if alpn:
        context.set_alpn_protocols([alpn])
    return context


@dataclass(frozen=True)
class Peer:
    """What decides a handshake."""

    version: Version
    alpn: str
    """ "h2", "http/1.1" or empty: none offered."""
    server_name: str | None
    identity: int
    """Number of the server's certificate."""
    tickets: int
    """TLS 1.3 session tickets that the server sends."""


class Connection:
    """Both ends. `handshake` and `send` return flights: (from the originator?, bytes on the wire)."""

    def __init__(self, peer: Peer, session: ssl.SSLSession | None = None) -> None:
        self._inbox = {True: ssl.MemoryBIO(), False: ssl.MemoryBIO()}
        """What each end (True: the originator) has yet to read."""
        context = client_context(peer.version, peer.alpn)
        self._ends = {
            True: context.wrap_bio(
                self._inbox[True], self._inbox[False], server_hostname=peer.server_name, session=session
            ),
            False: server_context(peer.identity, peer.tickets, peer.alpn).wrap_bio(
                self._inbox[False], self._inbox[True], server_side=True
            ),
        }

    def handshake(self) -> list[tuple[bool, bytes]]:
        """All flights of the handshake, the server's session tickets included."""
        flights: list[tuple[bool, bytes]] = []
        done = {True: False, False: False}
        for side in (True, False) * 4:
            if done[side]:
                continue
            with contextlib.suppress(ssl.SSLWantReadError):
                self._ends[side].do_handshake()
                done[side] = True
            self._take(side, flights)
        self._drain(True)  # the tickets, so that `session` can be resumed
        return flights

    def send(self, is_orig: bool, sizes: list[int]) -> bytes:
        """What goes on the wire when one end writes so many bytes, one TLS record for each write of up to 16,384."""
        flights: list[tuple[bool, bytes]] = []
        for size in sizes:
            while size > 0:
                size -= self._ends[is_orig].write(FILLER[: min(size, len(FILLER))])
        self._take(is_orig, flights)
        self._drain(not is_orig)
        return flights[0][1]

    @property
    def session(self) -> ssl.SSLSession | None:
        """What a later connection of the same client may resume."""
        return self._ends[True].session

    def _take(self, side: bool, flights: list[tuple[bool, bytes]]) -> None:
        """Note what `side` has written; the other end still has it to read."""
        out = self._inbox[not side]
        if wire := out.read():
            flights.append((side, wire))
            out.write(wire)

    def _drain(self, side: bool) -> None:
        with contextlib.suppress(ssl.SSLWantReadError):
            while self._ends[side].read(1 << 20):
                pass
