"""broker-bin-v1 in both directions, for any value: slow, strict and the measure of every fast path.

The format is Broker's (``libbroker/broker/format/bin.hh``): a tag byte, then

==================  ===============================================================================
bool                one byte, 0 or 1
count, int, time,   8 bytes, big endian; the last three two's complement, time and interval in ns
interval
double              8 bytes, IEEE 754, big endian
string, enum        length (`cursor.varbyte`), bytes
addr                16 bytes; IPv4 as ::ffff:a.b.c.d
subnet              16 bytes with all host bits 0, one byte of prefix length, IPv4's plus 96
port                2 bytes, big endian, one byte of protocol (0 unknown, 1 tcp, 2 udp, 3 icmp)
set, vector         number of elements (`cursor.varbyte`), each with its tag
table               number of pairs, then index and value in turn
==================  ===============================================================================

A body that decodes encodes to the same bytes again; what would not (a bool of 2, a length in a longer form than
needed, host bits in a subnet) is refused. Broker's own reader takes those, its writer never makes them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any

from eacf.errors import WireError
from eacf.flow import Address
from eacf.wire.cursor import Cursor, varbyte
from eacf.wire.values import Count, EnumName, Interval, Network, Port, Protocol, Set, Table, Time, Value

MAX_BODY = 4 * 1024 * 1024
"""Bytes in a body: room for 32 samples of 4,000 payload bytes, each in a record and a chunk of its own."""
MAX_VALUES = 2**20
"""Values in a body, containers and what they hold each counted: bounds the memory of a decoded body."""
MAX_DEPTH = 32
"""Containers in each other; the contract's deepest message has six."""
MAX_ADDRESSES = 16_384
"""Addresses that are kept for the next time they are met, some 5 MB; the one not met for longest goes."""

_PROTOCOLS: tuple[Protocol, ...] = ("unknown", "tcp", "udp", "icmp")
_V4_PREFIX = bytes(10) + b"\xff\xff"
_U64 = struct.Struct(">Q")
_I64 = struct.Struct(">q")
_F64 = struct.Struct(">d")
_PORT = struct.Struct(">HB")


def decode(body: bytes) -> Value:
    """The one value that `body` holds; WireError with the byte offset where it holds none or more than one."""
    if len(body) > MAX_BODY:
        raise WireError("limit", f"body of {len(body)} bytes, {MAX_BODY} are taken")
    cursor = Cursor(body, 0, MAX_VALUES)
    value = read_value(cursor)
    if cursor.left:
        raise WireError("trailing", f"byte {cursor.position}: {cursor.left} bytes after the end of the value")
    return value


def encode(value: Value) -> bytes:
    """The bytes of `value`; WireError where broker-bin-v1 cannot say it, or `decode` would not take it back."""
    out = bytearray()
    left = _write(out, value, 0, MAX_VALUES)
    if len(out) > MAX_BODY:
        raise WireError("limit", f"body of {len(out)} bytes in {MAX_VALUES - left} values, {MAX_BODY} bytes are taken")
    return bytes(out)


def read_value(cursor: Cursor, depth: int = 0) -> Value:
    """The value that starts at `cursor`, which is left behind it."""
    start = cursor.position
    tag = cursor.byte("tag")
    if tag >= len(_READERS):
        raise WireError("tag", f"byte {start}: {tag} is no type of broker-bin-v1")
    cursor.values -= 1
    if cursor.values < 0:
        raise WireError("limit", f"byte {start}: more than {MAX_VALUES} values in a body")
    return _READERS[tag](cursor, depth)


@lru_cache(maxsize=MAX_ADDRESSES)
def address_of(packed: bytes) -> Address:
    """An address from its 16 bytes. Cached, since the same hosts come again and again and making one is dear."""
    if packed.startswith(_V4_PREFIX):
        return IPv4Address(packed[12:])
    return IPv6Address(packed)


def packed_address(address: Address) -> bytes:
    """The 16 bytes of an address. A scope (``fe80::1%eth0``) has no place in them and is refused."""
    if isinstance(address, IPv4Address):
        return _V4_PREFIX + address.packed
    if address.scope_id is not None:
        raise WireError("value", "an IPv6 address with a scope cannot be said on the wire; leave the scope out")
    return address.packed


def _read_bool(cursor: Cursor, depth: int) -> bool:
    flag = cursor.byte("bool")
    if flag > 1:
        raise WireError("value", f"byte {cursor.position - 1}: bool is {flag}, must be 0 or 1")
    return flag == 1


def _read_string(cursor: Cursor, depth: int) -> bytes:
    return cursor.take(cursor.varbyte("length of string"), "string")


def _read_enum(cursor: Cursor, depth: int) -> EnumName:
    name = cursor.take(cursor.varbyte("length of enum"), "enum")
    return EnumName(name.decode("utf-8", "surrogateescape"))


def _read_subnet(cursor: Cursor, depth: int) -> Network:
    start = cursor.position
    packed, length = cursor.take(16, "subnet"), cursor.byte("length of subnet")
    v4 = packed.startswith(_V4_PREFIX)
    if length > 128 or (v4 and length < 96):
        raise WireError("value", f"byte {start + 16}: subnet has a prefix of {length} bits")
    try:
        return IPv4Network((packed[12:], length - 96)) if v4 else IPv6Network((packed, length))
    except ValueError as error:
        raise WireError("value", f"byte {start}: subnet has bits set beyond its prefix of {length} bits") from error


def _read_port(cursor: Cursor, depth: int) -> Port:
    number, protocol = _PORT.unpack(cursor.take(3, "port"))
    if protocol >= len(_PROTOCOLS):
        raise WireError("value", f"byte {cursor.position - 1}: port has protocol {protocol}, must be 0 to 3")
    return Port(number, _PROTOCOLS[protocol])


def _enter(cursor: Cursor, depth: int, what: str, smallest: int) -> int:
    """Number of elements of the container at `cursor`, each of which takes `smallest` bytes or more."""
    start = cursor.position
    if depth >= MAX_DEPTH:
        raise WireError("limit", f"byte {start}: {what} is deeper than {MAX_DEPTH} containers")
    count = cursor.varbyte(f"size of {what}")
    if count * smallest > cursor.left:
        raise WireError("truncated", f"byte {start}: {what} of {count} elements, but {cursor.left} bytes are left")
    return count


def _read_vector(cursor: Cursor, depth: int) -> tuple[Value, ...]:
    count = _enter(cursor, depth, "vector", 1)
    return tuple([read_value(cursor, depth + 1) for _ in range(count)])


def _read_set(cursor: Cursor, depth: int) -> Set:
    count = _enter(cursor, depth, "set", 1)
    return Set(tuple([read_value(cursor, depth + 1) for _ in range(count)]))


def _read_table(cursor: Cursor, depth: int) -> Table:
    count = _enter(cursor, depth, "table", 2)
    return Table(tuple([(read_value(cursor, depth + 1), read_value(cursor, depth + 1)) for _ in range(count)]))


# In the order of the tags.
_READERS: tuple[Callable[[Cursor, int], Value], ...] = (
    lambda cursor, depth: None,
    _read_bool,
    lambda cursor, depth: Count(_U64.unpack(cursor.take(8, "count"))[0]),
    lambda cursor, depth: int(_I64.unpack(cursor.take(8, "int"))[0]),
    lambda cursor, depth: float(_F64.unpack(cursor.take(8, "double"))[0]),
    _read_string,
    lambda cursor, depth: address_of(cursor.take(16, "addr")),
    _read_subnet,
    _read_port,
    lambda cursor, depth: Time(_I64.unpack(cursor.take(8, "time"))[0]),
    lambda cursor, depth: Interval(_I64.unpack(cursor.take(8, "interval"))[0]),
    _read_enum,
    _read_set,
    _read_table,
    _read_vector,
)


def _write(out: bytearray, value: Value, depth: int, left: int) -> int:
    """Appends `value` to `out`; returns how many of `left` values may still follow."""
    if left <= 0:
        raise WireError("limit", f"more than {MAX_VALUES} values in a body")
    items: tuple[Value, ...]
    if type(value) is tuple:
        tag, count, items = 14, len(value), value
    elif type(value) is Set:
        tag, count, items = 12, len(value.items), value.items
    elif type(value) is Table:
        tag, count, items = 13, len(value.pairs), tuple([part for pair in value.pairs for part in pair])
    else:
        out += _scalar(value)
        return left - 1
    if depth >= MAX_DEPTH:
        raise WireError("limit", f"more than {MAX_DEPTH} containers in each other")
    out.append(tag)
    out += varbyte(count)
    left -= 1
    for item in items:
        left = _write(out, item, depth + 1, left)
    return left


def _scalar(value: Value) -> bytes:
    """Tag and bytes of a value that holds no other."""
    writer = _WRITERS.get(type(value))
    if writer is None:
        raise WireError("type", f"Python type {type(value).__name__} stands for no type of broker-bin-v1")
    try:
        return writer(value)
    except struct.error as error:
        raise WireError("value", f"{type(value).__name__} out of range: {value!r}") from error
    except UnicodeEncodeError as error:
        raise WireError("value", "name of an enum is not text that UTF-8 can hold") from error


def _subnet(value: Network) -> bytes:
    shift = 96 if isinstance(value, IPv4Network) else 0
    return b"\x07" + packed_address(value.network_address) + bytes((value.prefixlen + shift,))


def _port(value: Port) -> bytes:
    if value.protocol not in _PROTOCOLS:
        raise WireError("value", f"port has protocol {value.protocol!r}, must be one of {', '.join(_PROTOCOLS)}")
    return b"\x08" + _PORT.pack(value.number, _PROTOCOLS.index(value.protocol))


def _sized(tag: bytes, data: bytes) -> bytes:
    return tag + varbyte(len(data)) + data


_WRITERS: dict[type, Callable[[Any], bytes]] = {
    type(None): lambda value: b"\x00",
    bool: lambda value: b"\x01\x01" if value else b"\x01\x00",
    Count: lambda value: b"\x02" + _U64.pack(value.value),
    int: lambda value: b"\x03" + _I64.pack(value),
    float: lambda value: b"\x04" + _F64.pack(value),
    bytes: lambda value: _sized(b"\x05", value),
    IPv4Address: lambda value: b"\x06" + packed_address(value),
    IPv6Address: lambda value: b"\x06" + packed_address(value),
    IPv4Network: _subnet,
    IPv6Network: _subnet,
    Port: _port,
    Time: lambda value: b"\x09" + _I64.pack(value.ns),
    Interval: lambda value: b"\x0a" + _I64.pack(value.ns),
    EnumName: lambda value: _sized(b"\x0b", value.name.encode("utf-8", "surrogateescape")),
}
