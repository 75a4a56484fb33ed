"""Who is let in: what ZeroMQ asks about each client that knocks (ZAP, RFC 27 of ZeroMQ), and what its monitors tell."""

from __future__ import annotations

import zmq
from zmq.utils.monitor import recv_monitor_message

from eacf.curve import z85
from eacf.relay.account import Account
from eacf.relay.clients import Clients
from eacf.relay.sockets import Sockets

CURVE_BYTES = 32


class Gate:
    """Answers, and counts."""

    def __init__(self, sockets: Sockets, clients: Clients, account: Account) -> None:
        self._sockets = sockets
        self._clients = clients
        self._account = account
        self._connections: set[tuple[int, int]] = set()

    @property
    def connections(self) -> int:
        """Of clients, two each; some may be in their handshake."""
        return len(self._connections)

    def knock(self) -> str | None:
        """Answer one that knocks. Who it was, if it was not let in."""
        frames = self._sockets.gate.recv_multipart()
        request = frames[1] if len(frames) > 1 else b""
        key = z85(frames[6]) if len(frames) == 7 and frames[5] == b"CURVE" and len(frames[6]) == CURVE_BYTES else ""
        client = self._clients.by_key.get(key)
        if client is None:
            self._account.refused["key"] += 1
            self._sockets.gate.send_multipart((b"1.0", request, b"400", b"not among the clients", b"", b""))
            return f"{frames[3].decode('ascii', 'replace') if len(frames) > 3 else '?'}, public key {key or 'none'}"
        self._account.admitted[client.name] += 1
        self._sockets.gate.send_multipart((b"1.0", request, b"200", b"OK", key.encode(), b""))
        return None

    def watch(self, side: int) -> int:
        """Take what the monitor of that side tells; how many handshakes failed without a key that could be asked about."""
        failed = 0
        monitor = self._sockets.monitors[side]
        while int(monitor.getsockopt(zmq.EVENTS)) & zmq.POLLIN:
            told = recv_monitor_message(monitor)
            event, place = int(told["event"]), (side, int(told["value"]))
            if event == zmq.EVENT_ACCEPTED:
                self._connections.add(place)
            elif event == zmq.EVENT_DISCONNECTED:
                self._connections.discard(place)
            else:
                failed += 1
        self._account.refused["handshake"] += failed
        return failed

    def empty(self) -> None:
        """All were cut off."""
        self._connections.clear()
