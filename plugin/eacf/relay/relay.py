"""Messages and subscriptions, from one side to the other. Two ways, each a proxy of its own:

the bus's XPUB -> XSUB here, XPUB here -> clients' SUB: messages out, subscriptions in
clients' PUB -> XSUB here, XPUB here -> the bus's XSUB: messages in, subscriptions out

Subscriptions travel on, so that Zeek discovers a client as if it were here, and a client what listens on the bus.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import zmq

from eacf.bus import Endpoints
from eacf.curve import Pair
from eacf.engine.notices import Notices
from eacf.errors import BusError, WireError
from eacf.relay.account import Account
from eacf.relay.clients import Client, Clients
from eacf.relay.gate import Gate
from eacf.relay.sockets import Sockets
from eacf.relay.topics import Topics
from eacf.wire import (
    CONTROL_REQUEST_TOPIC,
    FORMAT,
    StatusRequest,
    decode_message,
    encode_status_reply,
    is_control_reply_topic,
)

TURN = 256
"""Messages of each kind taken in one turn, so that none of them keeps the others waiting."""

REOPEN_S = 5.0
"""After a cut, until the addresses are ours again."""


class Relay:
    """Belongs to one thread."""

    def __init__(
        self,
        bus: Endpoints,
        listen: Endpoints,
        pair: Pair,
        clients: Clients,
        *,
        name: str,
        queue_messages: int,
        status: Callable[[], dict[str, object]],
    ) -> None:
        """`name`: 12 hex digits. `status`: what is said where somebody on the bus asks. BusError where a socket cannot be had."""
        self.account = Account()
        self.notices = Notices()
        self._clients = clients
        self._pair = pair
        self._node = f"eacf-relay-{name}".encode()
        self._name = name
        self._status = status
        self._sockets = Sockets(bus, queue_messages)
        self._gate = Gate(self._sockets, clients, self.account)
        self._topics = Topics([CONTROL_REQUEST_TOPIC])
        self._bus_topics: set[bytes] = set()
        try:
            self.listens = self._sockets.open(listen, pair)
        except BusError:
            self._sockets.close()
            raise
        self._poller = zmq.Poller()
        self._register()
        for socket in (self._sockets.gate, self._sockets.bus_sub, self._sockets.bus_pub):
            self._poller.register(socket, zmq.POLLIN)
        self._sockets.bus_sub.send(b"\1" + CONTROL_REQUEST_TOPIC)

    @property
    def connections(self) -> int:
        """Of clients, two each."""
        return self._gate.connections

    @property
    def topics(self) -> int:
        """Topics with an id that clients hear."""
        return len(self._topics)

    @property
    def has_bus(self) -> bool:
        """Whether the bus of this machine is there: somebody listens on it."""
        return bool(self._bus_topics)

    def wake_on(self, descriptor: int) -> None:
        """Let :meth:`turn` return when this can be read, too."""
        self._poller.register(descriptor, zmq.POLLIN)

    def turn(self, timeout_ms: int) -> None:
        """Wait so long at most, then pass on what is there."""
        ready = {socket for socket, _ in self._poller.poll(timeout_ms)}
        sockets = self._sockets
        if sockets.gate in ready and (stranger := self._gate.knock()) is not None:
            self.notices.note("clients not let in", stranger)
        for side, monitor in enumerate(sockets.monitors):
            if monitor in ready and (failed := self._gate.watch(side)):
                what = "no CURVE, or another public key of this relay than its own (bus_server_key)"
                self.notices.note("handshakes that failed", what, failed)
        if sockets.bus_pub in ready:
            self._from_bus_topics()
        if sockets.out in ready:
            self._from_client_topics()
        if sockets.bus_sub in ready:
            self._out()
        if sockets.taken in ready:
            self._in()
        if self._topics.overrun:
            self.notices.note(
                "all clients cut off", "some of them asked for more topics that they may not hear than is kept in mind"
            )
            self.cut()

    def cut(self) -> None:
        """Close all connections of clients and listen anew; those that are still let in come again by themselves."""
        self.account.cuts += 1
        for socket in (*self._sockets.clients, *self._sockets.monitors):
            self._poller.unregister(socket)
        self._sockets.close_clients()
        self._gate.empty()
        for topic in self._topics.clear():
            self._sockets.bus_sub.send(b"\0" + topic)
        self.listens = self._sockets.open(self.listens, self._pair, REOPEN_S)
        self._register()
        for topic in self._bus_topics:
            self._sockets.taken.send(b"\1" + topic)

    def close(self) -> None:
        """End it; a second call does nothing."""
        self._sockets.close()

    def _register(self) -> None:
        for socket in (*self._sockets.clients, *self._sockets.monitors):
            self._poller.register(socket, zmq.POLLIN)

    def _out(self) -> None:
        """Messages of the bus to the clients that hear them. One whose queue is full misses it; the others do not."""
        account, out = self.account, self._sockets.out
        for _ in range(TURN):
            try:
                frames = self._sockets.bus_sub.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                return
            if frames[0] == CONTROL_REQUEST_TOPIC:
                self._asked(frames)
            account.out += 1
            account.out_bytes += len(frames[-1])
            try:
                out.send_multipart(frames, zmq.DONTWAIT)
            except zmq.Again:
                account.out_cut += 1
                out.setsockopt(zmq.XPUB_NODROP, 0)
                out.send_multipart(frames, zmq.DONTWAIT)
                out.setsockopt(zmq.XPUB_NODROP, 1)

    def _in(self) -> None:
        """Messages of clients to the bus, if their role allows them."""
        account = self.account
        for _ in range(TURN):
            try:
                parts = self._sockets.taken.recv_multipart(zmq.DONTWAIT, copy=False)
            except zmq.Again:
                return
            frames = [part.bytes for part in parts]
            client = self._client(_key(parts[0]))
            account.taken += 1
            account.taken_bytes += len(frames[-1])
            refused = "key" if client is None else client.rule.refuses(frames)
            if refused is None:
                try:
                    self._sockets.bus_pub.send_multipart(frames, zmq.DONTWAIT)
                except zmq.Again:
                    refused = "full"
            if refused is not None:
                account.dropped[refused] += 1
                self.notices.note(f"messages of clients not passed on ({refused})", _named(client))

    def _from_client_topics(self) -> None:
        out = self._sockets.out
        for _ in range(TURN):
            try:
                told = out.recv(zmq.DONTWAIT, copy=False)
            except zmq.Again:
                return
            data, key = told.bytes, _key(told)
            topic = data[1:]
            if data[:1] == b"\1":
                client = self._client(key)
                allowed = client is not None and client.rule.may_hear(topic)
                granted, new = self._topics.ask(topic, key or "", allowed=allowed)
                if granted:
                    out.setsockopt(zmq.SUBSCRIBE, topic)
                    if new:
                        self._sockets.bus_sub.send(data)
                else:
                    self.account.refused_topics += 1
                    self.notices.note("topics that clients may not hear", f"{_named(client)}: {topic[:64]!r}")
            elif data[:1] == b"\0":
                had, last = self._topics.leave(topic, key)
                if had and key is not None:
                    out.setsockopt(zmq.UNSUBSCRIBE, topic)
                if last:
                    self._sockets.bus_sub.send(data)

    def _from_bus_topics(self) -> None:
        for _ in range(TURN):
            try:
                told = self._sockets.bus_pub.recv(zmq.DONTWAIT)
            except zmq.Again:
                return
            if told[:1] == b"\1":
                self._bus_topics.add(told[1:])
            else:
                self._bus_topics.discard(told[1:])
            self._sockets.taken.send(told)

    def _asked(self, frames: list[bytes]) -> None:
        """Somebody wants to know how we are."""
        try:
            asked = decode_message(frames[-1])
        except WireError:
            return
        if isinstance(asked, StatusRequest) and is_control_reply_topic(asked.reply_to):
            body = encode_status_reply(self._name, json.dumps(self._status()))
            try:
                self._sockets.bus_pub.send_multipart((asked.reply_to.encode(), self._node, FORMAT, body), zmq.DONTWAIT)
            except zmq.Again:
                return

    def _client(self, key: str | None) -> Client | None:
        return None if key is None else self._clients.by_key.get(key)


def _key(part: zmq.Frame) -> str | None:
    """The public key of whoever sent it; None where ZeroMQ says it of one that has gone."""
    try:
        return str(part.get("User-Id"))
    except zmq.ZMQError:
        return None


def _named(client: Client | None) -> str:
    return "a key that is no longer let in" if client is None else f"{client.name} ({client.role or 'any role'})"
