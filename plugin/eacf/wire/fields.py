"""Reads fields of the contract out of Broker values, each with the rule for what it may hold.

Every function takes the value and `where`, the path of the field (``EACF::flow.s.chunks[3].gap``), and raises
WireError that says where, what was found (its type or size, never its bytes) and what is allowed.
"""

from __future__ import annotations

import re

from eacf.errors import WireError
from eacf.flow import Address
from eacf.wire.messages import MAX_ID, MAX_SERVER_NAME, MAX_TEXT
from eacf.wire.values import Count, Interval, Port, Time, Value, zeek_type

_ID = re.compile(rb"[!-~]+")
_DIGEST = re.compile(rb"[0-9a-f]{64}")


def record(value: Value, where: str, least: int) -> tuple[Value, ...]:
    """The fields of a record, `least` or more; surplus ones come from a newer sender, and the caller ignores them."""
    if type(value) is not tuple:
        raise _wrong(value, where, "a record (vector)")
    if len(value) < least:
        raise WireError("fields", f"{where}: record of {len(value)} fields, expected at least {least}")
    return value


def vector(value: Value, where: str, most: int) -> tuple[Value, ...]:
    """The elements of a vector of any type."""
    if type(value) is not tuple:
        raise _wrong(value, where, "vector")
    if len(value) > most:
        raise WireError("limit", f"{where}: {len(value)} elements, {most} are taken")
    return value


def count(value: Value, where: str, most: int) -> int:
    """A count of 0 to `most`."""
    if type(value) is not Count:
        raise _wrong(value, where, "count")
    if value.value > most:
        raise WireError("value", f"{where}: {value.value} is more than {most}")
    return value.value


def integer(value: Value, where: str, most: int) -> int:
    """An int of -`most` to `most`."""
    if type(value) is not int:
        raise _wrong(value, where, "int")
    if not -most <= value <= most:
        raise WireError("value", f"{where}: {value} is not in {-most} to {most}")
    return value


def boolean(value: Value, where: str) -> bool:
    """A bool."""
    if type(value) is not bool:
        raise _wrong(value, where, "bool")
    return value


def probability(value: Value, where: str) -> float:
    """A double of 0 to 1."""
    if type(value) is not float:
        raise _wrong(value, where, "double")
    if not 0.0 <= value <= 1.0:
        raise WireError("value", f"{where}: {value} is not in 0 to 1")
    return value


def share(value: Value, where: str) -> float:
    """A double above 0, at most 1."""
    found = probability(value, where)
    if not found:
        raise WireError("value", f"{where}: {found} is not above 0")
    return found


def time_ns(value: Value, where: str) -> int:
    """A time, in ns since the epoch."""
    if type(value) is not Time:
        raise _wrong(value, where, "time")
    return value.ns


def interval_ns(value: Value, where: str) -> int:
    """An interval, in ns; negative where a capture's clock went back."""
    if type(value) is not Interval:
        raise _wrong(value, where, "interval")
    return value.ns


def address(value: Value, where: str) -> Address:
    """An address."""
    if not isinstance(value, Address):
        raise _wrong(value, where, "addr")
    return value


def port(value: Value, where: str) -> Port:
    """A port of any protocol."""
    if type(value) is not Port:
        raise _wrong(value, where, "port")
    return value


def tcp_port(value: Value, where: str) -> int:
    """The number of a TCP port. Another protocol is refused: contract v1 is about TLS over TCP alone."""
    found = port(value, where)
    if found.protocol != "tcp":
        raise WireError("value", f"{where}: port {found.number}/{found.protocol}, expected tcp")
    return found.number


def data(value: Value, where: str, most: int) -> bytes:
    """A string as bytes."""
    if type(value) is not bytes:
        raise _wrong(value, where, "string")
    if len(value) > most:
        raise WireError("limit", f"{where}: {len(value)} bytes, {most} are taken")
    return value


def identity(value: Value, where: str) -> str:
    """A uid, worker or model id."""
    found = data(value, where, MAX_ID)
    if not _ID.fullmatch(found):
        raise WireError("text", f"{where}: an id must be printable ASCII without space and not empty")
    return found.decode("ascii")


def digest(value: Value, where: str) -> str:
    """A SHA-256: 64 lower-case hex digits."""
    found = data(value, where, MAX_ID)
    if not _DIGEST.fullmatch(found):
        raise WireError("text", f"{where}: must be 64 lower-case hex digits")
    return found.decode("ascii")


def text(value: Value, where: str, most: int = MAX_TEXT) -> str:
    """A string that must be UTF-8."""
    try:
        return data(value, where, most).decode()
    except UnicodeDecodeError as error:
        # `from None`: the error of the decoder holds the bytes.
        raise WireError("text", f"{where}: not UTF-8 at byte {error.start} of the string") from None


def optional_text(value: Value, where: str) -> str | None:
    """A string that must be UTF-8, or None where it is unset."""
    return None if value is None else text(value, where)


def server_name(value: Value, where: str) -> str | None:
    """A server name, or None where it is unset; bytes that are not UTF-8 become surrogate escapes."""
    return None if value is None else data(value, where, MAX_SERVER_NAME).decode("utf-8", "surrogateescape")


def _wrong(value: Value, where: str, expected: str) -> WireError:
    return WireError("type", f"{where}: {zeek_type(value)}, expected {expected}")
