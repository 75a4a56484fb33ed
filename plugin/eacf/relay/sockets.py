"""The sockets of a relay: two towards the bus on this machine, two under CURVE towards clients, and what lets clients in.

Nothing waits for room. What a client is too slow for it misses; what the bus has no room for is dropped; both are counted.
"""

from __future__ import annotations

import time

import zmq

from eacf.bus import MAX_MESSAGE, Endpoints
from eacf.curve import Pair
from eacf.errors import BusError
from eacf.handshake import HANDSHAKE_MS, across_network
from eacf.wire import MAX_BODY

DOMAIN = b"eacf"
BUS_MESSAGES = 10_000
"""Messages that wait at the bus's side, either way."""
REMOTE_MESSAGES = 1_000
"""Messages from one client that wait to be read; then they wait with the client."""
MAX_SUBSCRIPTION = 1024
"""Bytes of what a client sends where it hears; libzmq ends the connection of one that sends more."""
AGAIN_S = 0.01
"""Between two tries for an address."""
_ZAP = "inproc://zeromq.zap.01"
_MONITORED = (
    zmq.EVENT_ACCEPTED
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_DISCONNECTED
)


class Sockets:
    """All of them, in one context. Belongs to one thread."""

    def __init__(self, bus: Endpoints, queue_messages: int) -> None:
        """`queue_messages`: those that wait for one client at most."""
        self._queue = queue_messages
        self.context = zmq.Context()
        self.gate = self.context.socket(zmq.REP)
        self.gate.bind(_ZAP)
        self.bus_sub = self._to_bus(zmq.XSUB, bus.subscribe)
        self.bus_pub = self._to_bus(zmq.XPUB, bus.publish)
        self.bus_pub.setsockopt(zmq.XPUB_NODROP, 1)
        self.clients: list[zmq.Socket[bytes]] = []
        self.monitors: list[zmq.Socket[bytes]] = []

    def _to_bus(self, kind: int, endpoint: str) -> zmq.Socket[bytes]:
        socket = self.context.socket(kind)
        socket.setsockopt(zmq.SNDHWM, BUS_MESSAGES)
        socket.setsockopt(zmq.RCVHWM, BUS_MESSAGES)
        socket.setsockopt(zmq.MAXMSGSIZE, MAX_MESSAGE)
        try:
            socket.connect(endpoint)
        except zmq.ZMQError as error:
            raise BusError(f"cannot connect to {endpoint!r} ({error.strerror}): name the bus of this machine") from None
        return socket

    def open(self, listen: Endpoints, pair: Pair, wait_s: float = 0.0) -> Endpoints:
        """Listen for clients; where, with the ports that a ``*`` became. BusError where an address is still taken after
        `wait_s`: ZeroMQ gives those of closed sockets back a little later."""
        until = time.monotonic() + wait_s
        self.out = self._to_clients(zmq.XPUB, listen.subscribe, pair, until)
        self.out.setsockopt(zmq.XPUB_MANUAL, 1)  # a subscription counts when we grant it
        self.out.setsockopt(zmq.XPUB_NODROP, 1)
        self.taken = self._to_clients(zmq.XSUB, listen.publish, pair, until)
        ends = [socket.getsockopt(zmq.LAST_ENDPOINT) for socket in (self.out, self.taken)]
        return Endpoints(*(bytes(end).rstrip(b"\0").decode() for end in ends))  # type: ignore[arg-type]

    def close_clients(self) -> None:
        """Cut all clients off."""
        for socket, monitor in zip(self.clients, self.monitors, strict=True):
            socket.disable_monitor()  # first: libzmq waits for ever to tell what nobody listens to
            monitor.close(linger=0)
            socket.close(linger=0)
        self.clients.clear()
        self.monitors.clear()

    def _to_clients(self, kind: int, endpoint: str, pair: Pair, until: float) -> zmq.Socket[bytes]:
        socket = self.context.socket(kind)
        socket.setsockopt(zmq.SNDHWM, self._queue)
        socket.setsockopt(zmq.RCVHWM, REMOTE_MESSAGES)
        socket.setsockopt(zmq.MAXMSGSIZE, MAX_BODY if kind == zmq.XSUB else MAX_SUBSCRIPTION)
        socket.setsockopt(zmq.HANDSHAKE_IVL, HANDSHAKE_MS)
        socket.setsockopt(zmq.ZAP_DOMAIN, DOMAIN)
        socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)
        socket.setsockopt(zmq.IPV6, int("[" in endpoint))
        across_network(socket)
        socket.curve_server = True
        socket.curve_secretkey = pair.secret.encode()
        socket.curve_publickey = pair.public.encode()
        self.clients.append(socket)
        self.monitors.append(socket.get_monitor_socket(_MONITORED))
        while True:
            try:
                socket.bind(endpoint)
            except zmq.ZMQError as error:
                if error.errno == zmq.EADDRINUSE and time.monotonic() < until:
                    time.sleep(AGAIN_S)
                    continue
                raise BusError(
                    f"cannot listen at {endpoint!r} ({error.strerror}): name an address of this machine and a free port, "
                    "like tcp://192.0.2.1:5557"
                ) from None
            return socket

    def close(self) -> None:
        """All of them."""
        self.close_clients()
        self.context.destroy(linger=0)
