"""`python load.py server ADDRESS PORT PEM` or `python load.py client ADDRESS PORT RATE SECONDS`: real TLS over real sockets.

A client opens connections at random times at RATE a second, whatever becomes of those before; each makes a full handshake (TLS 1.2
or 1.3), asks EXCHANGES times and ends. Both ends are one thread around epoll, a generator a connection: asyncio's streams take
twice the CPU, and the machine has other things to do. The client prints what it did as JSON.
"""

from __future__ import annotations

import json
import random
import resource
import select
import socket
import ssl
import sys
import time
from collections.abc import Callable, Generator
from functools import partial
from typing import TypeVar

EXCHANGES = 5
"""Application-data records of a connection: twice as many at least, more than the shipped model waits for."""
REQUESTS, ANSWERS = (180, 700), (300, 4000)
"""Bytes of plaintext."""
SERVER_NAME = "www.bench.example"
END = b"\n"
"""Of a request and of an answer."""
TLS12_SHARE = 0.4
BACKLOG = 4096
PATIENCE_S = 5.0
"""After the last connection was opened, for those that are under way."""

Steps = Generator[int, None, None]
"""Yields the epoll events that a connection waits for."""
T = TypeVar("T")


def step(call: Callable[[], T]) -> Generator[int, None, T]:
    """Call again and again until it need not wait."""
    while True:
        try:
            return call()
        except ssl.SSLWantReadError:
            yield select.EPOLLIN
        except ssl.SSLWantWriteError:
            yield select.EPOLLOUT


def until_end(end: ssl.SSLSocket) -> Generator[int, None, bool]:
    """Read a request or an answer; False where the other side has gone."""
    while data := (yield from step(lambda: end.recv(16_384))):
        if data.endswith(END):
            return True
    return False


def body(rng: random.Random, sizes: tuple[int, int]) -> bytes:
    return bytes(rng.randint(*sizes)) + END


def serve(plain: socket.socket, context: ssl.SSLContext, rng: random.Random) -> Steps:
    """Answer each request."""
    with context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False) as end:
        yield from step(end.do_handshake)
        while (yield from until_end(end)):
            yield from step(partial(end.send, body(rng, ANSWERS)))


def ask(plain: socket.socket, context: ssl.SSLContext, rng: random.Random) -> Steps:
    """EXCHANGES requests, then goodbye."""
    with plain:
        yield select.EPOLLOUT  # connected
        with context.wrap_socket(plain, server_hostname=SERVER_NAME, do_handshake_on_connect=False) as end:
            yield from step(end.do_handshake)
            for _ in range(EXCHANGES):
                yield from step(partial(end.send, body(rng, REQUESTS)))
                if not (yield from until_end(end)):
                    raise ConnectionResetError


def endpoint(plain: socket.socket) -> socket.socket:
    """Never waits, in either sense."""
    plain.setblocking(False)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return plain


class Loop:
    """Drives connections; `done` and `failed` count them."""

    def __init__(self) -> None:
        self.poll = select.epoll()
        self.done = self.failed = 0
        self._live: dict[int, Steps] = {}

    @property
    def live(self) -> int:
        return len(self._live)

    def add(self, descriptor: int, steps: Steps) -> None:
        """A connection whose socket has that number, now and when TLS is around it; it closes it by itself."""
        self._live[descriptor] = steps
        self.poll.register(descriptor, 0)
        self._go(descriptor)

    def turn(self, timeout_s: float) -> bool:
        """Serve what is ready; True where a descriptor that is none of ours was."""
        foreign = False
        for descriptor, _ in self.poll.poll(timeout_s):
            if descriptor in self._live:
                self._go(descriptor)
            else:
                foreign = True
        return foreign

    def _go(self, descriptor: int) -> None:
        try:
            self.poll.modify(descriptor, next(self._live[descriptor]))
            return
        except StopIteration:
            self.done += 1
        except OSError:
            self.failed += 1
        del self._live[descriptor]


def server(address: str, port: int, pem: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    context.num_tickets = 1
    rng, loop = random.Random(2), Loop()
    with socket.create_server((address, port), backlog=BACKLOG) as listener:
        listener.setblocking(False)
        loop.poll.register(listener.fileno(), select.EPOLLIN)
        print("ready", flush=True)
        while True:
            if loop.turn(-1):
                try:
                    while True:
                        plain = endpoint(listener.accept()[0])
                        loop.add(plain.fileno(), serve(plain, context, rng))
                except BlockingIOError:
                    pass


def client_context(version: ssl.TLSVersion) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = context.maximum_version = version
    return context


def client(address: str, port: int, rate: float, seconds: float) -> None:
    contexts = [client_context(ssl.TLSVersion.TLSv1_3), client_context(ssl.TLSVersion.TLSv1_2)]
    rng, loop, opened, most_late = random.Random(1), Loop(), 0, 0.0
    begun = due = now = time.perf_counter()
    while now < begun + seconds or (loop.live and now < begun + seconds + PATIENCE_S):
        if due <= now and due < begun + seconds:
            most_late = max(most_late, now - due)
            due += rng.expovariate(rate)
            plain = endpoint(socket.socket())
            plain.connect_ex((address, port))
            loop.add(plain.fileno(), ask(plain, contexts[rng.random() < TLS12_SHARE], rng))
            opened += 1
        loop.turn(max(0.0, min(due - time.perf_counter(), 0.01)))
        now = time.perf_counter()
    used = resource.getrusage(resource.RUSAGE_SELF)
    told = {
        "opened": opened,
        "done": loop.done,
        "failed": loop.failed + loop.live,
        "late_ms": most_late * 1e3,
        "cpu_s": used.ru_utime + used.ru_stime,
    }
    print(json.dumps(told))


def main() -> None:
    kind, address, port, *rest = sys.argv[1:]
    if kind == "server":
        server(address, int(port), rest[0])
    else:
        client(address, int(port), float(rest[0]), float(rest[1]))


if __name__ == "__main__":
    main()
