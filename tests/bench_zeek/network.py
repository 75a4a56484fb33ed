"""Two hosts and a wire between them: network namespaces of our own with a veth pair, so that no address of the machine is used.

Where namespaces cannot be made (a container, no root), both hosts are this machine's loopback.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

from machine import VoidError, say

CLIENT, SERVER = "198.18.0.1", "198.18.0.2"
"""For benchmarks (RFC 2544); they exist inside the namespaces only."""


@dataclass(frozen=True)
class Host:
    """A network namespace, or no name: the machine's own."""

    name: str
    interface: str
    address: str

    @property
    def inside(self) -> tuple[str, ...]:
        """What a command line begins with to run there; the process keeps its id."""
        return ("ip", "netns", "exec", self.name) if self.name else ()


LOOPBACK = Host("", "lo", "127.0.0.1")


@contextmanager
def hosts() -> Iterator[tuple[Host, Host]]:
    """(client, server)."""
    with ExitStack() as undo:
        try:
            made = undo.enter_context(wire())
        except VoidError as error:
            say(f"  loopback in place of a veth pair: {error}")
            made = LOOPBACK, LOOPBACK
        yield made


@contextmanager
def wire() -> Iterator[tuple[Host, Host]]:
    """Two namespaces with a veth pair. VoidError where they cannot be made."""
    tag = f"eacf{os.getpid()}"
    client = Host(f"{tag}c", "eacf0", CLIENT)
    server = Host(f"{tag}s", "eacf1", SERVER)
    with ExitStack() as undo:
        for host in (client, server):
            ip("netns", "add", host.name)
            undo.callback(_forget, host.name)
        pair = f"{client.interface} type veth peer {server.interface} netns {server.name}"
        ip("-n", client.name, "link", "add", *pair.split())
        for host in (client, server):
            # One segment a packet, as on a real wire: a veth would else carry 64 kB at once.
            ip("-n", host.name, "link", "set", host.interface, "gso_max_segs", "1")
            ip("-n", host.name, "address", "add", f"{host.address}/24", "dev", host.interface)
            ip("-n", host.name, "link", "set", host.interface, "up")
            ip("-n", host.name, "link", "set", "lo", "up")
        yield client, server


def ip(*arguments: str) -> None:
    """ip(8). VoidError with its words."""
    try:
        subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)
    except FileNotFoundError:
        raise VoidError("a veth pair needs ip(8); install iproute2") from None
    except subprocess.CalledProcessError as error:
        words = error.stderr.strip()
        raise VoidError(
            f"ip {' '.join(arguments)}: {words}; a veth pair needs root (CAP_SYS_ADMIN, CAP_NET_ADMIN)"
        ) from None


def _forget(name: str) -> None:
    with suppress(VoidError):
        ip("netns", "delete", name)
