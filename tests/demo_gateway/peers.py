"""Both ends of the demo's applications: real TLS over TCP, records as the testbed's applications write them, then a long transfer.

    python peers.py server LOG ADDRESS...       one address an application, port 443; LOG: what is uploaded
    python peers.py client APP ADDRESS LOG      connection after connection; LOG: a line of JSON for each quarter of a second

Both ends know what a connection says from its application and the client's port, so that they need no protocol beside TLS.
"""

from __future__ import annotations

import json
import random
import socket
import ssl
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path

from eacf_trainer.testbed import apps, pki, tls

PORT = 443
SITES = {"code-fetch": 2, "video": 7, "bulk-upload": 10}
"""The applications of the demo, and which deployment of each: those of which the bundle `testbed` is sure."""
UPLOADS = ("bulk-upload",)
VARIANTS = 5
"""Different conversations of an application."""
THINK = 0.1
"""Pauses are so much shorter than the testbed's: what is watched here is throughput."""
SAID_RECORDS = 12
"""The bundle `testbed` looks at eight."""
HOLD_S = 4.0
"""How long a connection transfers once it has said what its application says."""
STALL_S = 5.0
"""A client that got nothing for so long gives its connection up and makes another."""
SIDE_BY_SIDE = 4
"""Connections of an application at a time, begun one after the other."""
SEND_BUFFER = 128 << 10
"""Bytes: what waits in the kernel when a transfer is over is soon gone."""
PIECE = bytes(16_384)


def turns(app: str, port: int) -> Iterator[apps.Turn]:
    """What the connection from that port of the client says before its transfer: its application's first records."""
    site = apps.site(app, SITES[app])
    rng = random.Random(f"{app} {port % VARIANTS}")
    said = apps.APPS[app](site, rng)
    records = 0
    if site.h2:  # the client's preface goes out with its first request, the server's settings before its first answer
        first = next(said)
        said = chain(
            (
                apps.Turn(True, [rng.choice(apps.PREFACES), *first.sizes], 0.0),
                apps.Turn(False, [rng.choice((31, 37, 50, 62))], 0.001),
            ),
            said,
        )
    for turn in said:
        yield turn
        records += len(turn.sizes)
        if records >= SAID_RECORDS:
            return


def converse(end: ssl.SSLSocket, app: str, port: int, is_orig: bool, meter: Meter | None) -> None:
    """One end's part of it; `meter` counts what it receives. OSError where the other end is gone."""
    for turn in turns(app, port):
        if turn.is_orig == is_orig:
            time.sleep(turn.think_s * THINK)
            for size in turn.sizes:
                end.sendall(PIECE[:size])  # one write, one record
        else:
            left = sum(turn.sizes)
            while left:
                data = end.recv(min(left, 65_536))
                if not data:
                    raise ConnectionResetError("the other end has closed")
                left -= len(data)
                if meter is not None:
                    meter.add(len(data))


def transfer(end: ssl.SSLSocket) -> None:
    """Send as fast as it goes, for a while."""
    until = time.monotonic() + HOLD_S
    while time.monotonic() < until:
        end.sendall(PIECE)


class Meter:
    """Bytes of an application that arrived, written down each quarter of a second."""

    STEP_S = 0.25

    def __init__(self, log: Path) -> None:
        self._bytes = 0
        self._connections = 0
        self._lock = threading.Lock()
        self._out = log.open("w", encoding="utf-8")
        threading.Thread(target=self._write, daemon=True).start()

    def add(self, size: int, connections: int = 0) -> None:
        with self._lock:
            self._bytes += size
            self._connections += connections

    def _write(self) -> None:
        at = time.time()
        while True:
            at += self.STEP_S
            time.sleep(max(0.0, at - time.time()))
            with self._lock:
                line = {"at": at, "bytes": self._bytes, "connections": self._connections}
                self._bytes = self._connections = 0
            print(json.dumps(line), file=self._out, flush=True)


def serve(app: str, address: str, meter: Meter | None) -> None:
    """Answer connections of an application at its address; `meter` counts what is uploaded."""
    site = apps.site(app, SITES[app])
    context = pki.server_context(SITES[app] % pki.IDENTITIES, site.tickets, "h2" if site.h2 else "http/1.1")
    listener = socket.create_server((address, PORT), backlog=64)
    while True:
        taken, (_, port, *_) = listener.accept()
        threading.Thread(target=_serve_one, args=(context, taken, app, port, meter), daemon=True).start()


def _serve_one(context: ssl.SSLContext, taken: socket.socket, app: str, port: int, meter: Meter | None) -> None:
    with suppress(OSError), taken:
        taken.settimeout(STALL_S * 2)
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        with context.wrap_socket(taken, server_side=True) as end:
            converse(end, app, port, False, meter)
            if meter is None:
                transfer(end)
                return
            while data := end.recv(65_536):
                meter.add(len(data))


def use(app: str, address: str, meter: Meter) -> None:
    """Connection after connection, for ever. One that is not answered is given up after a while."""
    site = apps.site(app, SITES[app])
    context = tls.client_context("1.3", "h2" if site.h2 else "http/1.1")
    while True:
        meter.add(0, 1)
        with suppress(OSError), socket.create_connection((address, PORT), timeout=STALL_S) as plain:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
            port = plain.getsockname()[1]
            with context.wrap_socket(plain, server_hostname=site.hosts[0]) as end:
                converse(end, app, port, True, None if app in UPLOADS else meter)
                if app in UPLOADS:
                    transfer(end)
                else:
                    while data := end.recv(65_536):
                        meter.add(len(data))
        time.sleep(0.1)


def main(arguments: list[str]) -> None:
    """See the module."""
    if arguments[0] == "server":
        log = Path(arguments[1])
        for app, address in zip(SITES, arguments[2:], strict=True):
            meter = Meter(log) if app in UPLOADS else None
            threading.Thread(target=serve, args=(app, address, meter), daemon=True).start()
        threading.Event().wait()
    else:
        _, app, address, log_name = arguments
        meter = Meter(Path(log_name))
        for _ in range(SIDE_BY_SIDE):
            threading.Thread(target=use, args=(app, address, meter), daemon=True).start()
            time.sleep(HOLD_S / SIDE_BY_SIDE)
        threading.Event().wait()


if __name__ == "__main__":
    main(sys.argv[1:])
