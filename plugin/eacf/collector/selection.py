"""Which connections are collected: the same choice as that of Zeek's script (zeek/collect.zeek), by the same settings.

Sampling goes by a hash of addresses and ports, so that sensors which see the same connection choose alike, and a capture
gives the same connections each time.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Network

from eacf.flow import Address, address_text

Network = IPv4Network | IPv6Network

# draft-eastlake-fnv-17, section 5.
FNV_BASIS = 0x811C9DC5
FNV_PRIME = 0x01000193

MAPPED = 0xFFFF << 32
"""Above the 32 bits of an IPv4 address where it stands among the IPv6 ones (RFC 4291 section 2.5.5.2), as Zeek holds it."""


class Choice(Enum):
    """What is done with a connection."""

    TAKE = "take"
    IGNORE = "ignore"
    """For its subnet or port."""
    SKIP = "skip"
    """By sampling."""


def fnv1a32(data: bytes) -> int:
    """The 32-bit FNV-1a hash of `data`."""
    value = FNV_BASIS
    for byte in data:
        value = (value ^ byte) * FNV_PRIME & 0xFFFFFFFF
    return value


@dataclass(frozen=True)
class Selection:
    """Settings of the choice; the defaults take every connection."""

    sample_one_in: int = 1
    """One connection in so many; 1: every one."""
    ignore_subnets: tuple[Network, ...] = ()
    """Connections with an end in one of these are left alone."""
    ignore_ports: frozenset[int] = frozenset()
    """Connections to one of these ports are left alone."""

    @property
    def takes_all(self) -> bool:
        """Whether nothing is left alone."""
        return self.sample_one_in <= 1 and not self.ignore_subnets and not self.ignore_ports

    def of(self, orig_h: Address, orig_p: int, resp_h: Address, resp_p: int) -> Choice:
        """What is done with the connection between these."""
        if resp_p in self.ignore_ports or any(holds(net, orig_h) or holds(net, resp_h) for net in self.ignore_subnets):
            return Choice.IGNORE
        if self.sample_one_in > 1:
            text = f"{address_text(orig_h)} {orig_p} {address_text(resp_h)} {resp_p}"
            value = fnv1a32(text.encode())
            # Folded: the lower bits alone would follow those of addresses and ports that count up together.
            if (value ^ value >> 16) % self.sample_one_in:
                return Choice.SKIP
        return Choice.TAKE


ALL = Selection()
"""Every connection."""


def holds(network: Network, address: Address) -> bool:
    """Whether the address is in the network. To Zeek an IPv4 address is its IPv4-mapped IPv6 one, and so it is here."""
    first = _number(network.network_address)
    return (first ^ _number(address)) >> (network.max_prefixlen - network.prefixlen) == 0


def _number(address: Address) -> int:
    return int(address) | MAPPED if isinstance(address, IPv4Address) else int(address)
