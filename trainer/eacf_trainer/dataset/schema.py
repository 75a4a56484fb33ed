"""What a row of a dataset is: the Parquet schema, and how the few values that Parquet has no type for are written.

A row is one cut of one connection. docs/dataset.md has the columns one by one.
"""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import blake2b
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

import pyarrow as pa

from eacf.errors import EacfError
from eacf.flow import Address

SCHEMA_VERSION: Final = 1
"""Raised with every change of the columns or of what a value means."""
VERSION_KEY: Final = b"eacf_dataset"
"""Of the Parquet schema's metadata: holds the version in decimal. A file without it is none of ours."""

SCHEMA: Final = pa.schema(
    [
        pa.field("cut", pa.string(), nullable=False),
        pa.field("connection", pa.int64(), nullable=False),
        pa.field("capture", pa.string(), nullable=False),
        pa.field("sensor", pa.string()),
        pa.field("complete_ns", pa.int64()),
        pa.field("uid", pa.string(), nullable=False),
        pa.field("start_ns", pa.int64(), nullable=False),
        pa.field("orig_h", pa.string(), nullable=False),
        pa.field("orig_p", pa.int32(), nullable=False),
        pa.field("resp_h", pa.string(), nullable=False),
        pa.field("resp_p", pa.int32(), nullable=False),
        pa.field("server_name", pa.string()),
        pa.field("tls_version", pa.int32()),
        pa.field("payload", pa.binary()),
        pa.field("chunk_length", pa.list_(pa.int32()), nullable=False),
        pa.field("chunk_is_orig", pa.list_(pa.bool_()), nullable=False),
        pa.field("chunk_gap_ns", pa.list_(pa.int64()), nullable=False),
        pa.field("records", pa.list_(pa.int32()), nullable=False),
    ],
    metadata={VERSION_KEY: str(SCHEMA_VERSION)},
)

MAX_ADDRESSES = 65_536
"""Addresses that are kept for the next time they are met."""
_ESCAPED = re.compile(r"\\(\\|x[0-9a-f]{2})")
_TO_ESCAPE = re.compile("[\\\\\udc80-\udcff]")


class DatasetError(EacfError, ValueError):
    """A dataset cannot be built or read. The message names the folder or file, what is wrong with it and the remedy."""


def same_columns(schema: pa.Schema) -> bool:
    """Whether a Parquet file with `schema` is one of ours, of this version."""
    version = (schema.metadata or {}).get(VERSION_KEY)
    return version == str(SCHEMA_VERSION).encode() and schema.equals(SCHEMA)


def escaped(name: str) -> str:
    r"""A server name as UTF-8 can hold it: a byte that is none becomes ``\x`` and two digits, a backslash two."""
    if name.isascii() and "\\" not in name:
        return name
    return _TO_ESCAPE.sub(lambda found: "\\\\" if found[0] == "\\" else f"\\x{ord(found[0]) - 0xDC00:02x}", name)


def unescaped(text: str) -> str:
    """The server name that :func:`escaped` wrote, as `eacf.flow.Sample` has it."""
    if "\\" not in text:
        return text
    return _ESCAPED.sub(lambda found: "\\" if found[1] == "\\" else chr(0xDC00 + int(found[1][1:], 16)), text)


@lru_cache(MAX_ADDRESSES)
def address_text(address: Address) -> str:
    """An address such that :func:`address_of` gives the same again: an IPv4-mapped IPv6 one stays an IPv6 one."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(address) if mapped is None else f"::ffff:{mapped}"


@lru_cache(MAX_ADDRESSES)
def address_of(text: str) -> IPv4Address | IPv6Address:
    """The address that `text` names; ValueError where it names none."""
    return ip_address(text)


def connection_number(capture: str, orig: str, orig_p: int, resp: str, resp_p: int, start_ns: int) -> int:
    """The same number for every cut of one connection, on any machine: 64 bits, signed."""
    seed = f"{capture}\0{orig} {orig_p} {resp} {resp_p} {start_ns}"
    return int.from_bytes(blake2b(seed.encode("utf-8", "surrogateescape"), digest_size=8).digest(), "big", signed=True)
