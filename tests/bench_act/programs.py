"""What the parts share: programs that end with their context, and sockets inside a namespace."""

from __future__ import annotations

import ctypes
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import network

from eacf.errors import SettingError

EACF = (sys.executable, "-m", "eacf")
READY_S = 60.0
ETH_ALL = 0x0003
CLONE_NEWNET = 0x40000000


@contextmanager
def program(log: Path, *command: str, folder: Path | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """A program with its words in `log`; it ends with the context."""
    with log.open("ab") as out:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=folder)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
        process.wait()


def until(condition: Callable[[], bool], otherwise: str, limit_s: float = READY_S) -> None:
    """SettingError with `otherwise` where it does not come true."""
    end = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > end:
            raise SettingError(f"{otherwise} within {limit_s:g} s")
        time.sleep(0.1)


def reports(namespace: str) -> list[dict[str, Any]]:
    """What `eacf status` says there."""
    said = subprocess.run(
        [*network.inside(namespace), *EACF, "status", "--json", "--timeout", "2"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    return [json.loads(line) for line in said.splitlines()]


def wire(namespace: str, interface: str = "eth0") -> socket.socket:
    """A raw socket on an interface of another namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    with Path("/proc/self/ns/net").open() as here, Path(f"/run/netns/{namespace}").open() as there:
        for enter, make in ((there, True), (here, False)):
            if libc.setns(enter.fileno(), CLONE_NEWNET):
                raise SettingError(f"cannot enter the namespace {namespace}: {os.strerror(ctypes.get_errno())}")
            if make:
                made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_ALL))
                made.bind((interface, ETH_ALL))
    return made


def mac(namespace: str, interface: str) -> bytes:
    """The address of an interface."""
    said = json.loads(network.command("ip", "-n", namespace, "-j", "link", "show", interface))
    return bytes.fromhex(said[0]["address"].replace(":", ""))
