"""The bus: topics carried by ZeroMQ through an XSUB/XPUB proxy, as Zeek's ZeroMQ cluster backend runs one.

With `eacf.handshake` and `eacf.relay` all that speaks zmq. A message has four frames: topic, sender's node id, format, body.
Subscribers connect to the proxy's XPUB side, publishers to its XSUB side (Zeek 8.0:
``policy/frameworks/cluster/backend/zeromq``). Topics are matched by prefix, and what nobody subscribes to is dropped where it
is sent, which is no loss.

Nothing here waits for room: a socket that is full refuses the message, and the refusal is counted.
"""

from __future__ import annotations

import math
import shutil
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, NamedTuple, Self

import zmq

from eacf.curve import BusKeys, read_pair, read_public
from eacf.errors import BusError
from eacf.handshake import Handshake
from eacf.wire import FORMAT

if TYPE_CHECKING:
    from eacf.settings import Settings

MAX_MESSAGE = 64 * 1024 * 1024
"""Bytes of a frame; libzmq ends the connection of whoever sends a longer one, and connects anew."""
SEND_MESSAGES = 1_000
"""Messages that wait in a peer's socket to go out; the next one is refused and counted (Zeek's own default)."""
RECEIVE_MESSAGES = 10_000
"""Messages that wait in a peer's socket to be read; then they wait at the proxy (Zeek's own ``onloop_queue_hwm``)."""
MAX_CHANGES = 1_000
"""Changes of subscriptions told in one call; the rest is told in the next."""
MAX_IPC_PATH = 107
"""Bytes of a Unix socket's path (unix(7), ``sun_path``)."""


@dataclass(frozen=True)
class Endpoints:
    """Where a bus is, as a peer sees it. The defaults are those of a Zeek that runs the proxy itself."""

    subscribe: str = "tcp://127.0.0.1:5555"
    """The proxy's XPUB side."""
    publish: str = "tcp://127.0.0.1:5556"
    """The proxy's XSUB side."""
    keys: BusKeys | None = field(default=None, repr=False)
    """Of an `eacf relay`; None: a bus without keys."""

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Where the settings say, with the keys that they name. SettingError where a key cannot be read."""
        keys = None
        if settings.bus_key is not None and settings.bus_server_key is not None:
            keys = BusKeys(read_pair(settings.bus_key), read_public(settings.bus_server_key))
        return cls(settings.subscribe_endpoint, settings.publish_endpoint, keys)


class Frames(NamedTuple):
    """One message."""

    topic: bytes
    sender: bytes
    format: bytes
    body: bytes


class Peer:
    """One that subscribes and publishes. Belongs to the thread that made it; used as a context, or closed."""

    def __init__(
        self,
        endpoints: Endpoints,
        node: str,
        topics: Iterable[bytes] = (),
        *,
        watch: bool = False,
        send_hwm: int = SEND_MESSAGES,
        receive_hwm: int = RECEIVE_MESSAGES,
    ) -> None:
        """`node`: the id that messages are signed with. `watch`: tell of :meth:`subscriptions`. A high-water mark of 0
        means no bound, which is right for captures only.

        BusError where an endpoint is not one; a bus that is not there yet is waited for by ZeroMQ itself.
        """
        self.unsent = 0
        """Messages that the socket would not take."""
        self._endpoints = endpoints
        self._node = node.encode()
        self._watch = watch
        self._context = zmq.Context()
        self._handshakes: list[Handshake] = []
        try:
            self._pub = self._connect(zmq.XPUB if watch else zmq.PUB, endpoints.publish, "publish", send_hwm)
            # A SUB would throw away what is on its way when its topic is unsubscribed.
            self._sub = self._connect(zmq.XSUB, endpoints.subscribe, "subscribe", receive_hwm)
        except BusError:
            self.close()
            raise
        self._poller = zmq.Poller()
        self._poller.register(self._sub, zmq.POLLIN)
        if watch:
            self._poller.register(self._pub, zmq.POLLIN)
        self._monitors = {handshake.monitor: handshake for handshake in self._handshakes}
        for monitor in self._monitors:
            self._poller.register(monitor, zmq.POLLIN)
        for topic in topics:
            self.subscribe(topic)

    @property
    def problem(self) -> str | None:
        """What is known to be wrong with the connection to the bus, and the remedy."""
        return next((each.problem for each in self._handshakes if each.problem is not None), None)

    def absence(self) -> BusError:
        """What to raise where no bus came."""
        where = f"{self._endpoints.subscribe} and {self._endpoints.publish}"
        remedy = (
            "start Zeek with its ZeroMQ backend, or say where the bus is (--subscribe-endpoint, --publish-endpoint)"
        )
        if self._endpoints.keys is not None:
            remedy = (
                "look whether `eacf relay` runs there, whether it says that it is on its bus, and whether it says that our key's "
                "role may not do this"
            )
        return BusError(f"no bus at {where}: {self.problem or remedy}")

    def _connect(self, kind: int, endpoint: str, side: str, hwm: int) -> zmq.Socket[bytes]:
        socket = self._context.socket(kind)
        socket.setsockopt(zmq.SNDHWM, hwm)
        socket.setsockopt(zmq.RCVHWM, hwm)
        socket.setsockopt(zmq.MAXMSGSIZE, MAX_MESSAGE)
        if kind != zmq.XSUB:
            socket.setsockopt(zmq.XPUB_NODROP, 1)  # full: EAGAIN, to be counted, and not a silent drop
        self._handshakes.append(Handshake(socket, endpoint, self._endpoints.keys))
        try:
            socket.connect(endpoint)
        except zmq.ZMQError as error:
            raise BusError(
                f"cannot connect to {endpoint!r} ({error.strerror}): the {side} endpoint must read like "
                f"{getattr(Endpoints(), side)} or ipc:///run/eacf/bus"
            ) from None
        return socket

    def subscribe(self, topic: bytes) -> None:
        """Hear all topics that begin with this one."""
        self._sub.send(b"\1" + topic)

    def unsubscribe(self, topic: bytes) -> None:
        """Undo one :meth:`subscribe`; what is on its way is still received."""
        self._sub.send(b"\0" + topic)

    def send(self, topic: bytes, body: bytes) -> bool:
        """Publish; False, and counted in `unsent`, where the socket is full."""
        try:
            self._pub.send_multipart((topic, self._node, FORMAT, body), zmq.DONTWAIT)
        except zmq.Again:
            self.unsent += 1
            return False
        return True

    def receive(self, limit: int) -> list[list[bytes]]:
        """The messages that are there, `limit` at most, without waiting; the frames as they came, four or not."""
        receive = self._sub.recv_multipart
        messages: list[list[bytes]] = []
        try:
            for _ in range(limit):
                messages.append(receive(zmq.DONTWAIT))
        except zmq.Again:
            pass
        return messages

    def subscriptions(self) -> list[tuple[bool, bytes]]:
        """What the bus's subscribers as a whole took up (True) and left (False) since the last call; needs `watch`."""
        changes: list[tuple[bool, bytes]] = []
        while self._watch and len(changes) < MAX_CHANGES and int(self._pub.getsockopt(zmq.EVENTS)) & zmq.POLLIN:
            told = self._pub.recv(zmq.DONTWAIT)
            if told[:1] in (b"\0", b"\1"):
                changes.append((told[0] == 1, told[1:]))
        return changes

    def wake_on(self, descriptor: int) -> None:
        """Let :meth:`wait` return when this file descriptor can be read, too."""
        self._poller.register(descriptor, zmq.POLLIN)

    def wait(self, timeout_s: float | None) -> bool:
        """Until there is something to receive, a change of subscriptions to tell, or the time is over (None: never);
        True where there is something. ZeroMQ counts whole milliseconds: it waits up to one longer."""
        until = float("inf") if timeout_s is None else time.monotonic() + max(0.0, timeout_s)
        while True:
            now = time.monotonic()
            wake_at = min(until, *(each.retry_at for each in self._handshakes))
            ready = self._poller.poll(None if math.isinf(wake_at) else math.ceil(max(0.0, wake_at - now) * 1000))
            told = [self._monitors[each] for each, _ in ready if each in self._monitors]
            now = time.monotonic()
            for handshake in told:
                handshake.look(now)
            for handshake in self._handshakes:
                if now >= handshake.retry_at:
                    handshake.retry()
            if len(ready) > len(told) or now >= until:
                return len(ready) > len(told)

    def close(self, linger_s: float = 0.0) -> None:
        """Leave the bus; what was sent has `linger_s` to get out. A second call does nothing."""
        if self._context.closed:
            return
        for handshake in self._handshakes:
            handshake.close()
        self._context.destroy(linger=round(linger_s * 1000))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class EmbeddedBus:
    """A proxy of our own, in a thread that needs no Python once it runs, on endpoints that nobody else uses.

    Two Unix sockets in a temporary folder that only this user can enter, so that a capture can be read beside a live
    sensor. Like Zeek's proxy it drops nothing: a subscriber that stops reading stops the bus.
    """

    def __init__(self) -> None:
        """BusError where the sockets cannot be made."""
        self._folder = private_folder()
        self.endpoints = Endpoints(f"ipc://{self._folder}/subscribe", f"ipc://{self._folder}/publish")
        self._context = zmq.Context()
        bound: Future[None] = Future()
        self._thread = Thread(target=self._run, args=(bound,), name="eacf-bus", daemon=True)
        self._thread.start()
        try:
            bound.result()
        except zmq.ZMQError as error:
            self.close()
            where = f"cannot bind {self.endpoints.subscribe} ({error.strerror})"
            raise BusError(f"{where}: set TMPDIR to a folder that takes Unix sockets") from None

    def _run(self, bound: Future[None]) -> None:
        """Bind, say so, and forward until the context is terminated. The sockets never leave this thread."""
        publishers, subscribers = self._context.socket(zmq.XSUB), self._context.socket(zmq.XPUB)
        subscribers.setsockopt(zmq.XPUB_NODROP, 1)
        try:
            publishers.bind(self.endpoints.publish)
            subscribers.bind(self.endpoints.subscribe)
            bound.set_result(None)
            zmq.proxy(publishers, subscribers)
        except zmq.ContextTerminated:
            pass
        except zmq.ZMQError as error:
            bound.set_exception(error)
        finally:
            publishers.close(linger=0)
            subscribers.close(linger=0)

    def close(self) -> None:
        """End the proxy and remove its sockets; a second call does nothing."""
        self._context.term()
        self._thread.join()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def private_folder() -> Path:
    """A new folder of mode 0700 for Unix sockets; in /tmp where the usual place has too long a name for one."""
    folder = Path(tempfile.mkdtemp(prefix="eacf-"))
    if len(bytes(folder)) + len("/subscribe") > MAX_IPC_PATH:
        folder.rmdir()
        folder = Path(tempfile.mkdtemp(prefix="eacf-", dir="/tmp"))
    return folder
