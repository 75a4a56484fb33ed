"""What a row of the store holds, and how it is written: the few values that SQLite has no type for.

========  ==============================================================================================================
records   int32 each, little-endian: positive from the originator, negative from the responder
chunks    all lengths (uint32), then all gaps (int64, nanoseconds), then all directions (one byte, 1: originator)
names     text; a BLOB of the bytes as they came where these are no UTF-8 or hold a NUL
client    an IPv4 address; of an IPv6 address the /64, since one machine may use all addresses of it
========  ==============================================================================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from struct import Struct
from typing import Final

from eacf.flow import Address, Chunk, Sample

MAX_NAME_BYTES: Final = 255
"""A longer server name is no host's (RFC 1035, 2.3.4) and is not kept: the row has none."""
ROW_BYTES: Final = 120
"""What a row takes beside names and BLOBs: numbers, addresses, uid, its index entry. Measured on rows of records alone."""
MAX_ADDRESSES: Final = 65_536

Row = tuple[
    int, str | None, str | bytes | None, str, str, str, int, int, str, int, str, int, bytes | None, bytes, bytes, str
]
"""The columns of :data:`COLUMNS`."""
COLUMNS: Final = (
    "id, label, server_name, sensor, client, uid, arrived_ns, start_ns, orig_h, orig_p, resp_h, resp_p, payload, chunks,"
    " records, cut"
)


@dataclass(frozen=True, slots=True)
class Stored:
    """A sample, and what the store knows beside it."""

    id: int
    """Higher than that of every sample that was stored before; never used again."""
    label: str | None
    """By the label map that the collector was given; None: background."""
    client: str
    """Who asked: an IPv4 address, or the /64 of an IPv6 one."""
    sensor: str
    """Node id of the Zeek process."""
    arrived_ns: int
    """When it came to the collector, by the store's clock (:mod:`eacf.samples.clock`)."""
    cut: str
    """"records" or "stream"."""
    sample: Sample


def row_of(number: int, label: str | None, client: str, sensor: str, arrived_ns: int, sample: Sample) -> Row:
    """The row of a sample. A sample with neither payload nor chunks has the cut "records"."""
    stream = bool(sample.payload or sample.chunks)
    return (
        number,
        label,
        name_value(sample.server_name),
        sensor,
        client,
        sample.uid,
        arrived_ns,
        sample.start_ns,
        address_text(sample.orig_h),
        sample.orig_p,
        address_text(sample.resp_h),
        sample.resp_p,
        sample.payload or None,
        chunks_value(sample.chunks) if sample.chunks else b"",
        _integers(len(sample.records)).pack(*sample.records),
        "stream" if stream else "records",
    )


def bytes_of(sample: Sample) -> int:
    """About what its row takes in the file."""
    name = sample.server_name
    named = len(name) if name is not None and len(name) <= MAX_NAME_BYTES else 0
    return ROW_BYTES + 2 * named + len(sample.payload) + 13 * len(sample.chunks) + 4 * len(sample.records)


def stored_of(row: Row) -> Stored:
    """The sample of a row, field by field as it came; ValueError or struct.error where a value is none of ours."""
    (
        number,
        label,
        name,
        sensor,
        client,
        uid,
        arrived,
        start,
        orig_h,
        orig_p,
        resp_h,
        resp_p,
        payload,
        chunks,
        records,
        cut,
    ) = row
    sample = Sample(
        uid,
        start,
        address_of(orig_h),
        orig_p,
        address_of(resp_h),
        resp_p,
        name_of(name),
        payload or b"",
        chunks_of(chunks) if chunks else [],
        list(_integers(len(records) // 4).unpack(records)),
    )
    return Stored(number, label, client, sensor, arrived, cut, sample)


def name_value(name: str | None) -> str | bytes | None:
    """A server name as SQLite can hold it."""
    if name is None or (name.isascii() and "\0" not in name and len(name) <= MAX_NAME_BYTES):
        return name
    raw = name.encode("utf-8", "surrogateescape")
    if len(raw) > MAX_NAME_BYTES:
        return None
    return raw if "\0" in name or any("\ud800" <= each <= "\udfff" for each in name) else name


def name_of(value: str | bytes | None) -> str | None:
    """The server name that :func:`name_value` gave."""
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value


def chunks_value(chunks: list[Chunk]) -> bytes:
    """See the module."""
    lengths, gaps = [chunk.length for chunk in chunks], [chunk.gap_ns for chunk in chunks]
    return _chunks(len(chunks)).pack(*lengths, *gaps, *(chunk.is_orig for chunk in chunks))


def chunks_of(value: bytes) -> list[Chunk]:
    """See the module."""
    count = len(value) // 13
    numbers = _chunks(count).unpack(value)
    return [
        Chunk(length, origin, gap)
        for length, gap, origin in zip(numbers[:count], numbers[count : 2 * count], numbers[2 * count :], strict=True)
    ]


@lru_cache(MAX_ADDRESSES)
def client_of(address: Address) -> str:
    """Whose share a sample counts to."""
    if isinstance(address, IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(IPv6Network((int(address) >> 64 << 64, 64)))


@lru_cache(MAX_ADDRESSES)
def address_text(address: Address) -> str:
    """Such that :func:`address_of` gives the same again: an IPv4-mapped IPv6 address stays one."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(address) if mapped is None else f"::ffff:{mapped}"


@lru_cache(MAX_ADDRESSES)
def address_of(text: str) -> Address:
    """The address that `text` names."""
    return ip_address(text)


@lru_cache(1024)
def _integers(count: int) -> Struct:
    return Struct(f"<{count}i")


@lru_cache(1024)
def _chunks(count: int) -> Struct:
    return Struct(f"<{count}I{count}q{count}?")
