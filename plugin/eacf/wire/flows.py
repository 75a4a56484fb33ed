"""Flow bodies the fast way: the shape that a sensor sends, and nothing else.

A sample of that shape (tags and widths as in `broker`):

==================================================================================================
``0e 0a``, ``05`` + length + uid (letters and digits, up to 64),
``09`` + start, ``06`` + orig_h, ``08`` + orig_p + ``01``, ``06`` + resp_h, ``08`` + resp_p + ``01``,
``00`` or ``05`` + length + server_name, ``05`` + length + payload,
``0e`` + number + chunks, ``0e`` + number + records (`runs`)
==================================================================================================

Whatever differs (more fields, a longer run, a wrong tag, a cut body) makes the reader return None, and the general
way has the last word on it, so that errors come from one place. What is read here is what the general way reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct, error

from eacf.errors import WireError
from eacf.flow import Chunk, Sample
from eacf.wire import envelope
from eacf.wire.broker import MAX_BODY, MAX_VALUES, address_of, packed_address, read_value
from eacf.wire.cursor import Cursor, varbyte
from eacf.wire.messages import MAX_ID, MAX_PAYLOAD, MAX_SAMPLES, MAX_SERVER_NAME, MAX_TEXT, Flows
from eacf.wire.runs import (
    CHUNK_BYTES,
    MAX_RUN,
    RECORD_BYTES,
    Unusual,
    read_chunks,
    read_records,
    write_chunks,
    write_records,
)

MAX_METADATA = 1024
"""Bytes of metadata that are read here. In this shape no value takes less than 5 bytes, so that a body of `MAX_BODY`
holds fewer than `MAX_VALUES`; the metadata must not change that."""

# What a body starts with, whether it holds many samples, whether metadata follows them; the commonest first.
_SHAPES = tuple(
    (envelope.prefix(name, 2, metadata=metadata) + b"\x05", name == "EACF::flows", metadata)
    for metadata in (False, True)
    for name in ("EACF::flows", "EACF::flow")
)

# By length of the uid: record of 10 and uid; start; orig_h; orig_p, tcp, next tag; resp_h; resp_p, tcp, next tag.
_HEADS = tuple(Struct(f">I{length}sBqB16sBHH16sBHH") for length in range(MAX_ID + 1))
_INTRO = 0x0E0A0500
_TCP_ADDR, _TCP_UNSET, _TCP_STRING = 0x0106, 0x0100, 0x0105

# Reading past the end is an IndexError or a struct.error, never a short read that goes unseen.
_FAST_ERRORS = (Unusual, WireError, IndexError, TypeError, UnicodeError, error)


def read_flows(body: bytes) -> Flows | None:
    """The samples of a flow(s) body; None where it is no such body or not of the usual shape."""
    shape = _shape(body)
    if shape is None:
        return None
    try:
        return _read_from(body, *shape)
    except _FAST_ERRORS:
        return None


def count_flows(body: bytes) -> int:
    """How many samples a flow(s) body says it holds, for counts of drops; 0 where it is none or cannot be read so far.

    A plausible number: what the samples hold is not looked at.
    """
    shape = _shape(body)
    if shape is None:
        return 0
    at, many, _ = shape
    if not many:
        return 1
    cursor = Cursor(body, at, 0)
    try:
        cursor.take(cursor.varbyte("length of reply_to"), "reply_to")
        tag, count = cursor.byte("tag"), cursor.varbyte("number of samples")
    except WireError:
        return 0
    return count if tag == 14 and count <= MAX_SAMPLES else 0


def write_flows(reply_to: str, samples: Sequence[Sample], *, many: bool) -> bytes | None:
    """The body of EACF::flows, or of EACF::flow where not `many`; None where the general way must say why not."""
    start = _SHAPES[0 if many else 1][0]
    try:
        parts = [start, _sized(reply_to.encode(), MAX_TEXT)]
        if many:
            parts.append(b"\x0e" + _number(len(samples), MAX_SAMPLES))
        for sample in samples:
            _write_sample(parts, sample)
        body = b"".join(parts)
    except _FAST_ERRORS:
        return None
    return body if len(body) <= MAX_BODY else None


def _shape(body: bytes) -> tuple[int, bool, bool] | None:
    """Where the length of reply_to is, whether many samples and whether metadata follow; None for another event."""
    for start, many, metadata in _SHAPES:
        if body.startswith(start):
            return len(start), many, metadata
    return None


def _read_from(body: bytes, at: int, many: bool, metadata: bool) -> Flows:
    """The samples of a body of that shape."""
    start, size = at + 1, body[at]
    at = start + size
    if size > 127 or len(body) > MAX_BODY:
        raise Unusual
    reply_to = body[start:at].decode()
    count = 1
    if many:
        if body[at] != 14 or body[at + 1] > 127:
            raise Unusual
        count = body[at + 1]
        at += 2
    samples = []
    for _ in range(count):
        sample, at = _read_sample(body, at)
        samples.append(sample)
    if at != len(body) or metadata:
        _read_metadata(body, at, metadata)
    return Flows(reply_to, samples)


def _read_metadata(body: bytes, at: int, expected: bool) -> None:
    if not expected or len(body) - at > MAX_METADATA:
        raise Unusual
    cursor = Cursor(body, at, MAX_VALUES)
    envelope.check_metadata(read_value(cursor, 2))
    if cursor.left:
        raise Unusual


def _read_sample(body: bytes, at: int) -> tuple[Sample, int]:
    """The sample that starts at `at`, and where it ends."""
    length = body[at + 3]
    head = _HEADS[length]
    intro, uid, t1, start, t2, orig_h, t3, orig_p, t4, resp_h, t5, resp_p, t6 = head.unpack_from(body, at)
    if not (t1 == 9 and t2 == 6 and t3 == t5 == 8 and t4 == _TCP_ADDR and intro == _INTRO | length and uid.isalnum()):
        raise Unusual
    at += head.size
    server_name = None
    if t6 == _TCP_STRING:
        size, at = body[at], at + 1
        if size > 127:
            size, at = _long(body, at)
        server_name = body[at : at + size].decode("utf-8", "surrogateescape")
        at += size
    elif t6 != _TCP_UNSET:
        raise Unusual
    if body[at] != 5:
        raise Unusual
    size, at = body[at + 1], at + 2
    if size > 127:
        size, at = _long(body, at)
    payload = body[at : at + size]
    at += size
    chunks: list[Chunk] = []
    count, at = _count(body, at)
    if count:
        end = at + CHUNK_BYTES * count
        chunks = read_chunks(body[at:end], count)
        at = end
    records: list[int] = []
    count, at = _count(body, at)
    if count:
        end = at + RECORD_BYTES * count
        records = read_records(body[at:end], count)
        at = end
    sample = Sample(
        uid.decode(),
        start,
        address_of(orig_h),
        orig_p,
        address_of(resp_h),
        resp_p,
        server_name,
        payload,
        chunks,
        records,
    )
    return sample, at


def _count(body: bytes, at: int) -> tuple[int, int]:
    """Number of elements of the vector at `at`, and where they start."""
    if body[at] != 14:
        raise Unusual
    count = body[at + 1]
    return (count, at + 2) if count < 128 else _long(body, at + 2)


def _long(body: bytes, at: int) -> tuple[int, int]:
    """The length whose second byte is at `at`, and what follows it; longer ones are unusual."""
    low, high = body[at - 1], body[at]
    if not 0 < high < 128:
        raise Unusual
    return low & 0x7F | high << 7, at + 1


def _write_sample(parts: list[bytes], sample: Sample) -> None:
    uid = sample.uid.encode("ascii")
    if not uid.isalnum() or len(uid) > MAX_ID:
        raise Unusual
    orig_h, resp_h = packed_address(sample.orig_h), packed_address(sample.resp_h)
    name = sample.server_name
    numbers = (
        _INTRO | len(uid),
        uid,
        9,
        sample.start_ns,
        6,
        orig_h,
        8,
        sample.orig_p,
        _TCP_ADDR,
        resp_h,
        8,
        sample.resp_p,
    )
    parts.append(_HEADS[len(uid)].pack(*numbers, _TCP_UNSET if name is None else _TCP_STRING))
    if name is not None:
        parts.append(_sized(name.encode("utf-8", "surrogateescape"), MAX_SERVER_NAME))
    parts.append(b"\x05" + _sized(sample.payload, MAX_PAYLOAD))
    parts.append(b"\x0e" + _number(len(sample.chunks), MAX_RUN))
    if sample.chunks:
        parts.append(write_chunks(sample.chunks))
    parts.append(b"\x0e" + _number(len(sample.records), MAX_RUN))
    if sample.records:
        parts.append(write_records(sample.records))


def _sized(data: bytes, most: int) -> bytes:
    return _number(len(data), most) + data


def _number(number: int, most: int) -> bytes:
    if number > most:
        raise Unusual
    return varbyte(number)
