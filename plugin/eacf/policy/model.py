"""A policy as data: what each table asks for, and what its words mean on a gateway."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import IPv4Network, IPv6Address, IPv6Network
from types import MappingProxyType
from typing import Any, Literal

from eacf.flow import Address

Network = IPv4Network | IPv6Network
Mode = Literal["dry-run", "act"]

CONFIDENCE = 0.9
CONTRADICTION = 0.95
"""A contradicted server name takes more than a label does."""
LASTS_S = 3600.0


@dataclass(frozen=True, slots=True)
class Class:
    """What a priority means on a gateway."""

    mark: int | None = None
    """Of the connection (ct mark). One switches connection tracking on, where nothing else on the gateway has."""
    tc: int | None = None
    """An HTB class: major number in the upper 16 bits, minor in the lower ones."""


DEFAULT_CLASSES: Mapping[str, Class] = MappingProxyType(
    {"high": Class(tc=0x10010), "normal": Class(tc=0x10020), "low": Class(tc=0x10030)}
)
"""Those of a policy that has none of its own."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Of an agent."""

    rules: int = 20_000
    """At once."""
    rules_per_second: int = 1000
    rules_per_host: int = 1000
    """That one originator may have."""


@dataclass(frozen=True, slots=True)
class Table:
    """What is done about a flow that it fits."""

    name: str
    """In words: "label youtube", "group bulk", "unknown", "server name contradicted"."""
    confidence: float
    """That it takes."""
    priority: str | None = None
    dscp: int | None = None
    rate: int | None = None
    """Bits a second, shared by all connections under this table."""
    block: bool = False
    shunt: bool = False
    """Zeek need not see the rest of the connection."""
    lasts_s: float = LASTS_S


@dataclass(frozen=True)
class Policy:
    """The whole file."""

    mode: Mode = "dry-run"
    confidence: float = CONFIDENCE
    """What a table takes that says nothing else."""
    leave_alone: tuple[Network, ...] = ()
    bounds: Bounds = Bounds()
    classes: Mapping[str, Class] = field(default_factory=lambda: DEFAULT_CLASSES)
    labels: Mapping[str, Table] = field(default_factory=dict)
    """Tables by label, those of groups as well."""
    unknown: Table | None = None
    contradicted: Table | None = None

    def leaves_alone(self, address: Address) -> bool:
        """Whether nothing is done about flows with this end. An IPv4 address within an IPv6 one is the IPv4 address."""
        mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
        plain = mapped or address
        number, bits = int(plain), plain.max_prefixlen
        return any(number >> bits - width in found for width, found in self._alone.get(plain.version, {}).items())

    @cached_property
    def _alone(self) -> dict[int, dict[int, set[int]]]:
        """`leave_alone` by IP version and width, so that a question costs one look-up a width, however many there are."""
        alone: dict[int, dict[int, set[int]]] = {}
        for each in self.leave_alone:
            found = alone.setdefault(each.version, {}).setdefault(each.prefixlen, set())
            found.add(int(each.network_address) >> each.max_prefixlen - each.prefixlen)
        return alone

    def document(self) -> dict[str, Any]:
        """The policy in one form, whatever its file looked like; what the Zeek script's reading is held against."""
        return {
            "mode": self.mode,
            "confidence": self.confidence,
            "leave_alone": sorted(str(each) for each in self.leave_alone),
            "bounds": {key: getattr(self.bounds, key) for key in Bounds.__slots__},
            "classes": {name: {"mark": each.mark, "tc": tc_text(each.tc)} for name, each in self.classes.items()},
            "labels": {label: _document(table) for label, table in self.labels.items()},
            "unknown": _document(self.unknown),
            "server name contradicted": _document(self.contradicted),
        }


def tc_text(tc: int | None) -> str | None:
    """A class's handle as tc(8) writes it."""
    return None if tc is None else f"{tc >> 16:x}:{tc & 0xFFFF:x}"


def _document(table: Table | None) -> dict[str, Any] | None:
    return None if table is None else {key.removesuffix("_s"): getattr(table, key) for key in Table.__slots__}
