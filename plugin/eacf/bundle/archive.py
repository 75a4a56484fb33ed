"""The file: a zip that stores its members, in one order, at one time, with nothing else in it.

Any unzip reads it, and it has exactly one form for given members: :func:`unpack` walks the local headers (PKWARE
APPNOTE 6.3, section 4.3.7), then packs what it found again and compares. So nothing can hide before, between or behind
the members, and there is nothing to inflate.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from zlib import crc32

from eacf.errors import BundleError

MANIFEST, MODEL = "manifest.json", "model.tflite"
MEMBERS = {MANIFEST: 1 << 20, MODEL: 64 << 20}
"""Members in their order, with the most bytes that each may have."""
MAX_BYTES = sum(MEMBERS.values()) + 1024
"""Of the whole file."""
COPY = "copy the file again, or build it again"

LOCAL = struct.Struct("<4s5H3I2H")
CENTRAL = struct.Struct("<4s6H3I5H2I")
END = struct.Struct("<4s4H2IH")
LOCAL_MAGIC, CENTRAL_MAGIC, END_MAGIC = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
VERSION = 20
MADE_BY = 3 << 8 | VERSION  # Unix, so that the mode below counts
MODE = 0o100644 << 16
STORED = 0
TIME, DATE = 0, 1 << 5 | 1  # 1980-01-01 00:00:00, the earliest that zip knows


def pack(members: Mapping[str, bytes]) -> bytes:
    """The one file that holds `members`, which must be those of MEMBERS."""
    body, directory = bytearray(), bytearray()
    for name in MEMBERS:
        data = members[name]
        common = (VERSION, 0, STORED, TIME, DATE, crc32(data), len(data), len(data), len(name), 0)
        directory += CENTRAL.pack(CENTRAL_MAGIC, MADE_BY, *common, 0, 0, 0, MODE, len(body)) + name.encode()
        body += LOCAL.pack(LOCAL_MAGIC, *common) + name.encode() + data
    end = END.pack(END_MAGIC, 0, 0, len(MEMBERS), len(MEMBERS), len(directory), len(body), 0)
    return bytes(body + directory + end)


def unpack(data: bytes) -> dict[str, bytes]:
    """Members of a bundle's file. Raises BundleError unless `data` is byte for byte what :func:`pack` makes."""
    if len(data) > MAX_BYTES:
        raise BundleError(f"file: has more than the {MAX_BYTES} bytes that a bundle may have; is it a bundle?")
    members: dict[str, bytes] = {}
    at = 0
    for name, most in MEMBERS.items():
        members[name] = _member(data, at, name, most)
        at += LOCAL.size + len(name) + len(members[name])
    if pack(members) != data:
        raise BundleError(
            "file: holds more than its members, or was packed by another tool (a bundle has one form: docs/bundle.md); "
            f"{COPY}"
        )
    return members


def _member(data: bytes, at: int, name: str, most: int) -> bytes:
    """The member `name`, whose local header must stand at `at`."""
    if len(data) < at + LOCAL.size:
        raise BundleError(f"{name}: the file ends before it; {COPY}")
    magic, _, flags, method, _, _, checksum, size, full, name_bytes, extra = LOCAL.unpack_from(data, at)
    begin = at + LOCAL.size + name_bytes + extra
    if magic != LOCAL_MAGIC:
        problem = "the file is not a bundle (no zip)" if at == 0 else "is not where it must be"
        raise BundleError(f"{name}: {problem}; {COPY}")
    if data[at + LOCAL.size : begin] != name.encode():
        raise BundleError(f"{name}: another member stands where it must be (order: {', '.join(MEMBERS)}); {COPY}")
    if method != STORED or flags or full != size:
        raise BundleError(f"{name}: is compressed or encrypted, a bundle only stores; {COPY}")
    if size > most:
        raise BundleError(f"{name}: has {size} bytes, at most {most} are allowed; build a smaller bundle")
    if len(data) < begin + size:
        raise BundleError(f"{name}: the file ends within it; {COPY}")
    member = data[begin : begin + size]
    if crc32(member) != checksum:
        raise BundleError(f"{name}: is damaged (its CRC-32 is another); {COPY}")
    return member
