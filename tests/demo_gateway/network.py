"""A client, a gateway and a server, each in a network namespace of its own; nothing of the machine's own network is touched.

    client 198.18.1.2 --- lan0 [gateway] wan0 --- 198.18.2.2 server

Addresses are those for benchmarks (RFC 2544) and for documentation (RFC 3849).
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

from eacf.errors import SettingError

LAN, WAN = "lan0", "wan0"
CLIENT, SERVER = "198.18.1.2", "198.18.2.2"
NETWORKS = {"c": ("198.18.1.", "2001:db8:ff01::"), "s": ("198.18.2.", "2001:db8:ff02::")}


@dataclass(frozen=True)
class Namespaces:
    """Their names, as ip-netns(8) knows them."""

    client: str
    gateway: str
    server: str


def inside(namespace: str) -> tuple[str, ...]:
    """What a command line begins with to run there; the process keeps its id."""
    return ("ip", "netns", "exec", namespace)


@contextmanager
def namespaces(server_addresses: Sequence[str] = (SERVER,)) -> Iterator[Namespaces]:
    """Three namespaces and their wires, the gateway forwarding; gone with the context. SettingError where they cannot be made."""
    tag = f"eacf{os.getpid()}"
    made = Namespaces(f"{tag}c", f"{tag}g", f"{tag}s")
    with ExitStack() as undo:
        for name in (made.client, made.gateway, made.server):
            command("ip", "netns", "add", name)
            undo.callback(_forget, name)
            command("ip", "-n", name, "link", "set", "lo", "up")
        for host, near, side in ((made.client, LAN, "c"), (made.server, WAN, "s")):
            pair = f"{near} type veth peer eth0 netns {host}"
            command("ip", "-n", made.gateway, "link", "add", *pair.split())
            v4, v6 = NETWORKS[side]
            for name, interface, number in ((made.gateway, near, 1), (host, "eth0", 2)):
                # One segment a packet, as on a real wire: a veth would else carry 64 kB at once.
                command("ip", "-n", name, "link", "set", interface, "gso_max_segs", "1")
                command("ip", "-n", name, "address", "add", f"{v4}{number}/24", "dev", interface)
                command("ip", "-n", name, "address", "add", f"{v6}{number}/64", "dev", interface, "nodad")
                command("ip", "-n", name, "link", "set", interface, "up")
            command("ip", "-n", host, "route", "add", "default", "via", f"{v4}1")
            command("ip", "-n", host, "-6", "route", "add", "default", "via", f"{v6}1")
        for address in server_addresses:
            if address != SERVER:
                command("ip", "-n", made.server, "address", "add", f"{address}/24", "dev", "eth0")
        for key in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
            command(*inside(made.gateway), "sysctl", "-qw", f"{key}=1")
        yield made


def bottleneck(gateway: str, interface: str, mbit: int) -> None:
    """HTB with the classes of the built-in policy: 1:10 goes first, 1:20 is for all that nobody named, 1:30 gets what is left.

    Each may borrow up to the whole link; what differs is what it is sure of, and who is served first.
    """
    tc = ("tc", "-n", gateway)
    command(*tc, "qdisc", "add", "dev", interface, "root", "handle", "1:", "htb", "default", "20")
    link = ("class", "add", "dev", interface, "parent")
    command(*tc, *link, "1:", "classid", "1:1", "htb", "rate", f"{mbit}mbit", "ceil", f"{mbit}mbit")
    for number, share, first in ((10, 0.6, 0), (20, 0.3, 1), (30, 0.1, 7)):
        rate = ("rate", f"{round(mbit * share * 1000)}kbit", "ceil", f"{mbit}mbit", "prio", str(first), "burst", "15k")
        command(*tc, *link, "1:1", "classid", f"1:{number}", "htb", *rate)
        command(*tc, "qdisc", "add", "dev", interface, "parent", f"1:{number}", "pfifo", "limit", "200")


def command(*words: str) -> str:
    """Run a program of the machine; what it prints. SettingError with its words."""
    try:
        return subprocess.run(words, check=True, capture_output=True, text=True).stdout
    except FileNotFoundError:
        raise SettingError(f"{words[0]} is not on the PATH; install iproute2 (and procps for sysctl)") from None
    except subprocess.CalledProcessError as error:
        raise SettingError(f"{' '.join(words)}: {error.stderr.strip()}; namespaces need root") from None


def _forget(name: str) -> None:
    with suppress(SettingError):
        command("ip", "netns", "delete", name)
