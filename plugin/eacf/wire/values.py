"""Broker's value types as Python values, one for each, so that nothing is lost on the way in and out.

What Zeek and Broker call them (tags: ``broker/variant_tag.hh``), and what stands for them here:

====  ==========  =======================  ==========================================================
tag   Zeek        Python                   why not something simpler
====  ==========  =======================  ==========================================================
0     (unset)     None
1     bool        bool
2     count       Count(value)             unsigned 64 bits; must not be mixed up with int
3     int         int                      signed 64 bits
4     double      float
5     string      bytes                    a Zeek string is any bytes
6     addr        IPv4Address/IPv6Address
7     subnet      IPv4Network/IPv6Network
8     port        Port(number, protocol)
9     time        Time(ns)                 datetime knows no nanoseconds
10    interval    Interval(ns)             neither does timedelta
11    enum        EnumName(name)
12    set         Set(items)               a tuple inside: the order on the wire is kept
13    table       Table(pairs)             likewise
14    vector      tuple                    records are vectors too, an unset field is None
====  ==========  =======================  ==========================================================

Every one is immutable and hashable, and two of different classes are never equal.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from typing import Literal, TypeAlias

from eacf.flow import Address

Network = IPv4Network | IPv6Network
Protocol = Literal["unknown", "tcp", "udp", "icmp"]


@dataclass(frozen=True, slots=True)
class Count:
    """Zeek's ``count``: 0 to 2**64 - 1."""

    value: int


@dataclass(frozen=True, slots=True)
class Time:
    """Zeek's ``time``: whole nanoseconds since the epoch, signed 64 bits."""

    ns: int


@dataclass(frozen=True, slots=True)
class Interval:
    """Zeek's ``interval``: whole nanoseconds, signed 64 bits."""

    ns: int


@dataclass(frozen=True, slots=True)
class EnumName:
    """A value of a Zeek ``enum`` by its full name (``Zoo::GREEN``); bytes that are not UTF-8 are surrogate escapes."""

    name: str


@dataclass(frozen=True, slots=True)
class Port:
    """Zeek's ``port``: 0 to 65,535 and its transport protocol."""

    number: int
    protocol: Protocol


@dataclass(frozen=True, slots=True)
class Set:
    """Zeek's ``set``, its members in the order of the wire."""

    items: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Zeek's ``table``: (index, value) pairs in the order of the wire; an index of several parts is a tuple."""

    pairs: tuple[tuple[Value, Value], ...]


Scalar: TypeAlias = bool | int | float | bytes | Count | Time | Interval | EnumName | Port | Address | Network
Value: TypeAlias = Scalar | Set | Table | tuple["Value", ...] | None

_ZEEK_NAMES: dict[str, str] = {
    "NoneType": "unset",
    "int": "int",
    "float": "double",
    "bytes": "string",
    "IPv4Address": "addr",
    "IPv6Address": "addr",
    "IPv4Network": "subnet",
    "IPv6Network": "subnet",
    "EnumName": "enum",
    "tuple": "vector",
}


def zeek_type(value: Value) -> str:
    """Zeek's word for the type of `value`, for messages that must not hold the value itself."""
    name = type(value).__name__
    return _ZEEK_NAMES.get(name, name.lower())
