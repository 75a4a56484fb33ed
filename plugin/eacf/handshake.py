"""What became of a connection's handshake, in words. ZeroMQ itself is silent about it: a wrong key is a bus that never comes.

Each connected socket has a monitor (zmq_socket_monitor(3)). After a refusal libzmq does not try again by itself; we do, since a
key may be let in later, and a plain bus become one with keys.
"""

from __future__ import annotations

import contextlib
import logging

import zmq
from zmq.utils.monitor import recv_monitor_message

from eacf.curve import BusKeys

RETRY_S = 5.0
"""After a refusal, until the next try."""
HANDSHAKE_MS = 5_000
"""What listens and does not speak is given up after so long."""
RECONNECT_MAX_MS = 2_000
"""A relay that is away is looked for with pauses that grow to this."""
HEARTBEAT_MS, SILENCE_MS = 5_000, 15_000
"""Across a network an end can vanish without a word: it is asked so often, and given up after such a silence."""
_DOUBTFUL, _OTHERWISE = 2, 6
"""A connection that ends within its handshake means nothing once: the other end may have been ending itself. So often in a row it
says more than a plain refusal before."""
_EVENTS = (
    zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
)

_log = logging.getLogger("eacf.bus")
_log.addHandler(logging.NullHandler())  # a command that says its errors itself says no others


class Handshake:
    """Watches one socket that is connected to one endpoint."""

    def __init__(self, socket: zmq.Socket[bytes], endpoint: str, keys: BusKeys | None) -> None:
        """To be made before the socket connects; sets the keys."""
        self.problem: str | None = None
        """What is wrong, and the remedy; None: nothing that is known."""
        self.retry_at = float("inf")
        """When :meth:`retry` is due, of the caller's clock."""
        self._socket = socket
        self._endpoint = endpoint
        self._keys = keys
        self._vague = 0
        if keys is not None:
            socket.curve_publickey = keys.own.public.encode()
            socket.curve_secretkey = keys.own.secret.encode()
            socket.curve_serverkey = keys.server.encode()
            socket.setsockopt(zmq.HANDSHAKE_IVL, HANDSHAKE_MS)
            socket.setsockopt(zmq.RECONNECT_IVL_MAX, RECONNECT_MAX_MS)
            across_network(socket)
        self.monitor: zmq.Socket[bytes] = socket.get_monitor_socket(_EVENTS)
        """To be polled; :meth:`look` where there is something."""

    def close(self) -> None:
        """To be called before the socket is closed: libzmq waits for ever to tell what nobody listens to."""
        self._socket.disable_monitor()

    def look(self, now: float) -> None:
        """Take what the monitor tells."""
        while int(self.monitor.getsockopt(zmq.EVENTS)) & zmq.POLLIN:
            told = recv_monitor_message(self.monitor)
            self._take(int(told["event"]), now)

    def retry(self) -> None:
        """Connect anew."""
        self.retry_at = float("inf")
        with contextlib.suppress(zmq.ZMQError):  # libzmq has forgotten a connection that was refused, or not yet
            self._socket.disconnect(self._endpoint)
        self._socket.connect(self._endpoint)

    def _take(self, event: int, now: float) -> None:
        if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
            if self.problem is not None:
                _log.info("%s: connected now", self._endpoint)
            self.problem, self._vague, self.retry_at = None, 0, float("inf")
            return
        if event == zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL:
            self._vague += 1
            if self._keys is None or self._vague < (_DOUBTFUL if self.problem is None else _OTHERWISE):
                return  # libzmq tries again
            self._say(
                "ended the handshake without a word: what listens there is no `eacf relay`, or bus_server_key is not its public key"
            )
            return
        self._vague = 0
        self.retry_at = now + RETRY_S
        if event == zmq.EVENT_HANDSHAKE_FAILED_AUTH and self._keys is not None:
            self._say(
                f"the relay does not let our key in (public key {self._keys.own.public}): copy its .curve.pub file into the "
                "relay's folder of clients"
            )
        elif self._keys is None:
            self._say("what listens there asks for keys: set bus_key and bus_server_key (docs/security.md)")
        else:
            self._say(
                "what listens there is a bus without keys: leave bus_key and bus_server_key out, or name an `eacf relay`"
            )

    def _say(self, problem: str) -> None:
        problem = f"{self._endpoint}: {problem}"
        if problem != self.problem:
            _log.warning("%s", problem)
        self.problem = problem


def across_network(socket: zmq.Socket[bytes]) -> None:
    """Let an end that vanished be noticed."""
    socket.setsockopt(zmq.HEARTBEAT_IVL, HEARTBEAT_MS)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, SILENCE_MS)
    socket.setsockopt(zmq.HEARTBEAT_TTL, SILENCE_MS)
