"""What is in place on a gateway, and how that reads for nft. Pure text: nothing here asks a kernel.

One table of family inet with one base chain, in hook forward. A packet costs one lookup of its connection, however many rules
there are, and two of its addresses for each width of subnets that is dropped. What is found is ``drop``, or a jump into a
chain that marks. Both directions of a connection are in the map, so nothing depends on connection tracking, on who opened it, or
on when it began.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from typing import Final

from eacf.flow import Address

TABLE: Final = "inet eacf"
CHAIN: Final = "forward"
GRACE_S: Final = 2.0
"""The kernel lets go of an element so much after its time. Until then we take it away ourselves, so that what we delete is
there; where we no longer run and the table stayed, the kernel does it."""
BURST_BYTES: Final = 65_536
"""Beside what a second of the rate is: a packet that the network card has gathered (GRO) must fit, or none would pass."""
FULL_WIDTH: Final = {4: 32, 6: 128}
MAX_SLUG: Final = 40

Endpoint = tuple[Address, int]
Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Pair:
    """A connection, whichever end opened it: the lower endpoint first."""

    protocol: str
    """"tcp" or "udp"."""
    low: Endpoint
    high: Endpoint


Target = Pair | Network
"""A connection, or a host or subnet with all of its packets."""


@dataclass(frozen=True, slots=True)
class Marks:
    """What the packets of a connection get. Connections with equal marks share one chain, and its rate."""

    key: str
    """The table of the policy, in its words."""
    mark: int | None
    """Of the connection (ct mark)."""
    tc: int | None
    """``meta priority``: an HTB class, major number in the upper 16 bits."""
    dscp: int | None
    rate: int | None
    """Bits a second, each direction; what is above it is dropped."""


@dataclass(frozen=True, slots=True)
class Element:
    """What is, or is to be, in place for one target."""

    marks: Marks | None
    """None: its packets are dropped."""
    low_is_orig: bool = True
    """Which end opened the connection: each direction has its own rate. True where there is no rate."""


@dataclass(frozen=True, slots=True)
class Change:
    """One step of one target from what is in place to what is to be."""

    target: Target
    old: Element | None
    new: Element | None
    until: float
    """When `new` is to go."""


Width = tuple[int, int]
"""IP version and prefix length: subnets of one width are in one set."""


def table(owned: bool) -> str:
    """The whole table, empty. `owned`: it belongs to the socket that makes it (Linux 5.12), else to nobody."""
    lines = [f"table {TABLE} {{"]
    if owned:
        lines.append("flags owner")
    for version, kind in ((4, "ipv4_addr"), (6, "ipv6_addr")):
        key = f"{kind} . inet_proto . inet_service . {kind} . inet_service"
        lines += [f"map acts{version} {{", f"type {key} : verdict", "flags timeout", "}"]
    lines += [f"chain {CHAIN} {{", "type filter hook forward priority mangle; policy accept", *_rules(()), "}", "}"]
    return "\n".join(lines)


def _rules(widths: Iterable[Width]) -> Iterator[str]:
    """Of the base chain: the subnets first, for a drop is the end."""
    for version, width in widths:
        mask = str((IPv4Network if version == 4 else IPv6Network)((0, width)).netmask)
        masked = "" if width == FULL_WIDTH[version] else f"& {mask} "
        for side in ("saddr", "daddr"):
            yield f"{_family(version)} {side} {masked}@{_set_name(version, width)} drop"
    for version in (4, 6):
        name = _family(version)
        yield f"{name} saddr . meta l4proto . th sport . {name} daddr . th dport vmap @acts{version}"


REMOVE_TABLE: Final = f"delete table {TABLE}"
FIND_TABLE: Final = f"list chain {TABLE} {CHAIN}"


def width_of(network: Network) -> Width:
    """The set that it belongs to."""
    return network.version, network.prefixlen


def look_into(widths: Iterable[Width], *, come: Iterable[Width] = (), gone: Iterable[Width] = ()) -> str:
    """The base chain anew, in one step, with a look into the sets of these widths, of which `come` are new and `gone` go.
    None is there that is not needed: a lookup takes 50 ns a packet."""
    new = [f"add set {TABLE} {_set_name(*each)} {{ type ipv{each[0]}_addr; flags timeout; }}" for each in come]
    rules = [f"add rule {TABLE} {CHAIN} {rule}" for rule in _rules(widths)]
    old = [f"delete set {TABLE} {_set_name(*each)}" for each in gone]
    return "\n".join([*new, f"flush chain {TABLE} {CHAIN}", *rules, *old])


def chain_names(marks: Marks, number: int) -> tuple[str, str]:
    """Chains for the packets of the originator and of the responder; one where there is no rate to keep apart.

    `key` came over the bus, so only its letters and digits go into a name.
    """
    slug = re.sub("[^a-z0-9]+", "_", marks.key.lower()).strip("_")[:MAX_SLUG] or "act"
    name = f"{slug if slug[0].isalpha() else f'act_{slug}'}_{number}"
    return (name, name) if marks.rate is None else (f"{name}_orig", f"{name}_resp")


def add_chains(marks: Marks, names: tuple[str, str]) -> str:
    """The chains that do what `marks` says."""
    lines = []
    if marks.rate is not None:
        lines.append(f"limit rate over {max(1, marks.rate // 8)} bytes/second burst {BURST_BYTES} bytes drop")
    if marks.mark is not None:
        lines.append(f"ct mark set {marks.mark}")
    if marks.tc is not None:
        lines.append(f"meta priority set {marks.tc:#010x}")
    if marks.dscp is not None:
        lines += [f"ip dscp set {marks.dscp}", f"ip6 dscp set {marks.dscp}"]
    commands: list[str] = []
    for name in dict.fromkeys(names):
        commands += [f"add chain {TABLE} {name}", *(f"add rule {TABLE} {name} {line}" for line in lines)]
    return "\n".join(commands)


def delete_chains(names: tuple[str, str]) -> str:
    """Away with them; the kernel refuses that while an element jumps there."""
    return "\n".join(f"delete chain {TABLE} {name}" for name in dict.fromkeys(names))


def transaction(
    changes: Iterable[Change], chains: Mapping[Marks, tuple[str, str]], now: float, *, surely: bool = False
) -> str:
    """All of them as one text: first what goes, then what comes. `surely`: what goes need not be there; it is put there first,
    which changes nothing where it is."""
    gone: dict[str, list[str]] = {}
    come: dict[str, list[str]] = {}
    before: dict[str, list[str]] = {}
    for change in changes:
        name = _holder(change.target)
        if change.old is not None:
            gone.setdefault(name, []).extend(_keys(change.target))
            if surely:
                before.setdefault(name, []).extend(_elements(change.target, change.old, now, chains, now))
        if change.new is not None:
            come.setdefault(name, []).extend(_elements(change.target, change.new, change.until, chains, now))
    lines = [f"add element {TABLE} {name} {{ {', '.join(elements)} }}" for name, elements in before.items()]
    lines += [f"delete element {TABLE} {name} {{ {', '.join(keys)} }}" for name, keys in gone.items()]
    lines += [f"add element {TABLE} {name} {{ {', '.join(elements)} }}" for name, elements in come.items()]
    return "\n".join(lines)


def removals(target: Target) -> list[str]:
    """Each of its elements in a transaction of its own, for where it is not known which are there."""
    name = _holder(target)
    return [f"delete element {TABLE} {name} {{ {key} }}" for key in _keys(target)]


def _elements(
    target: Target, element: Element, until: float, chains: Mapping[Marks, tuple[str, str]], now: float
) -> Iterator[str]:
    timeout = f"timeout {math.ceil(max(0.0, until - now) + GRACE_S)}s"
    if not isinstance(target, Pair):
        yield f"{target.network_address} {timeout}"
        return
    if element.marks is None:
        verdicts = ("drop", "drop")
    else:
        names = chains[element.marks]
        low, high = names if element.low_is_orig else names[::-1]
        verdicts = (f"jump {low}", f"jump {high}")
    for key, verdict in zip(_keys(target), verdicts, strict=True):
        yield f"{key} {timeout} : {verdict}"


def _keys(target: Target) -> list[str]:
    """Of its elements: for a connection the packets of the lower end, then those of the other."""
    if not isinstance(target, Pair):
        return [str(target.network_address)]
    (low, low_port), (high, high_port) = target.low, target.high
    return [
        f"{low} . {target.protocol} . {low_port} . {high} . {high_port}",
        f"{high} . {target.protocol} . {high_port} . {low} . {low_port}",
    ]


def _holder(target: Target) -> str:
    if isinstance(target, Pair):
        return f"acts{target.low[0].version}"
    return _set_name(target.version, target.prefixlen)


def _set_name(version: int, width: int) -> str:
    return f"hosts{version}" if width == FULL_WIDTH[version] else f"hosts{version}_{width}"


def _family(version: int) -> str:
    return "ip" if version == 4 else "ip6"
