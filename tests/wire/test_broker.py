"""The general codec against Zeek's own recordings, by properties, and at its limits."""

from __future__ import annotations

import json
import struct
import time
import tracemalloc
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eacf.errors import WireError
from eacf.wire import broker
from eacf.wire.broker import MAX_BODY, MAX_DEPTH, MAX_VALUES, decode, encode
from eacf.wire.values import Count, EnumName, Interval, Port, Set, Table, Time, Value, zeek_type

# What each tag of the recorded events says, by hand.
VALUE_TYPES: dict[str, Value] = {
    "bool_true": True,
    "bool_false": False,
    "count_42": Count(42),
    "count_max": Count(2**64 - 1),
    "int_minus_7": -7,
    "double_0.5": 0.5,
    "string_empty": b"",
    "string_bytes_00_ff_17": b"\x00\xff\x17",
    "string_200_x": b"x" * 200,
    "string_19600_digits": b"".join((b"0123456789" * 5)[:49] for _ in range(400)),
    "addr_v4_192.0.2.1": IPv4Address("192.0.2.1"),
    "addr_v6_2001:db8::1": IPv6Address("2001:db8::1"),
    "subnet_v4_192.0.2.0/24": IPv4Network("192.0.2.0/24"),
    "subnet_v6_2001:db8::/32": IPv6Network("2001:db8::/32"),
    "port_443_tcp": Port(443, "tcp"),
    "port_53_udp": Port(53, "udp"),
    "port_8_icmp": Port(8, "icmp"),
    "port_1_unknown": Port(1, "unknown"),
    # A double of seconds in Zeek: 1700000000.25 is a few hundred ns less on the wire.
    "time_1700000000.25": Time(1700000000249999872),
    "interval_minus_1.5s": Interval(-1_500_000_000),
    "interval_250usec": Interval(250_000),
    "enum_Zoo::GREEN": EnumName("Zoo::GREEN"),
    "set_count_1_2": Set((Count(1), Count(2))),
    "table_a_1": Table(((b"a", Count(1)),)),
    "vector_bool_T_F": (True, False),
    "vector_empty": (),
    "record_a1_bUnset_c[1.5]": (Count(1), None, (1.5,)),
    "record_a1_bhi_c[]": (Count(1), b"hi", ()),
}

U64 = st.integers(0, 2**64 - 1)
I64 = st.integers(-(2**63), 2**63 - 1)
ADDRESSES = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6).filter(lambda address: address.ipv4_mapped is None))
NETWORKS = st.one_of(
    st.builds(lambda n, p: IPv4Network((n >> (32 - p) << (32 - p), p)), st.integers(0, 2**32 - 1), st.integers(0, 32)),
    st.builds(lambda n, p: IPv6Network((n << (128 - p), p)), st.integers(0, 0xFFFF), st.integers(16, 128)).filter(
        lambda network: network.network_address.ipv4_mapped is None
    ),
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.builds(Count, U64),
    I64,
    st.floats(allow_nan=False),
    st.binary(max_size=200),
    ADDRESSES,
    NETWORKS,
    st.builds(Port, st.integers(0, 65535), st.sampled_from(["unknown", "tcp", "udp", "icmp"])),
    st.builds(Time, I64),
    st.builds(Interval, I64),
    st.builds(EnumName, st.binary(max_size=20).map(lambda name: name.decode("utf-8", "surrogateescape"))),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=5).map(tuple),
        st.lists(inner, max_size=5).map(lambda items: Set(tuple(items))),
        st.lists(st.tuples(inner, inner), max_size=3).map(lambda pairs: Table(tuple(pairs))),
    ),
    max_leaves=20,
)


def refused(body: bytes, kind: str, *parts: str) -> None:
    """`body` is refused with that kind, and the message holds the parts."""
    with pytest.raises(WireError) as caught:
        decode(body)
    assert caught.value.kind == kind
    for part in parts:
        assert part in str(caught.value)


def test_every_recorded_value_type_is_expected(value_types: dict[str, bytes]) -> None:
    assert value_types.keys() == VALUE_TYPES.keys()
    assert len(VALUE_TYPES) == 28


@pytest.mark.parametrize("tag", VALUE_TYPES)
def test_recorded_value_type_both_ways(value_types: dict[str, bytes], tag: str) -> None:
    event = decode(value_types[tag])
    assert event == (Count(1), Count(1), (b"Zoo::one", (tag.encode(), VALUE_TYPES[tag])))
    assert type(event[2][1][1]) is type(VALUE_TYPES[tag])
    assert encode(event) == value_types[tag]


def test_types_agree_with_the_json_twin(shared: Path, value_types: dict[str, bytes]) -> None:
    words = {"boolean": "bool", "integer": "int", "real": "double", "address": "addr", "timestamp": "time"}
    words |= {"timespan": "interval", "enum-value": "enum", "none": "unset"}
    for line in (shared / "zeek-wire" / "value-types.broker-json-v1.jsonl").read_text().splitlines():
        # Raw bytes in a JSON string, which is why JSON is no wire format: strict=False lets them pass.
        event = json.loads(bytes.fromhex(json.loads(line)["body_hex"]).decode("latin-1"), strict=False)
        tag, value = event["data"][2]["data"][1]["data"]
        decoded = decode(value_types[tag["data"]])
        kind = value["@data-type"]
        assert zeek_type(decoded[2][1][1]) == words.get(kind, kind)


@given(VALUES)
def test_what_is_encoded_decodes_to_itself(value: Value) -> None:
    body = encode(value)
    assert decode(body) == value
    assert encode(decode(body)) == body


@given(st.binary(max_size=60))
def test_what_decodes_encodes_to_the_same_bytes(body: bytes) -> None:
    try:
        value = decode(body)
    except WireError:
        return
    assert encode(value) == body


@given(VALUES, st.data())
def test_a_cut_body_is_truncated_and_a_longer_one_trails(value: Value, data: st.DataObject) -> None:
    body = encode(value)
    cut = data.draw(st.integers(0, len(body) - 1))
    refused(body[:cut], "truncated", "byte ")
    refused(body + b"\x00", "trailing", f"byte {len(body)}")


@pytest.mark.parametrize("bits", [0x7FF8000000000001, 0xFFF8DEADBEEF0001, 0x7FF0000000000000, 0x8000000000000000])
def test_every_bit_of_a_double_is_kept(bits: int) -> None:
    body = b"\x04" + struct.pack(">Q", bits)
    assert encode(decode(body)) == body


def test_count_int_time_and_interval_never_equal() -> None:
    values: list[Value] = [Count(1), 1, Time(1), Interval(1)]
    assert len({encode(value) for value in values}) == 4
    assert all(left is right or left != right for left in values for right in values)


def test_an_ipv4_address_in_ipv6_form_is_ipv4() -> None:
    assert decode(encode(IPv6Address("::ffff:192.0.2.1"))) == IPv4Address("192.0.2.1")
    assert decode(encode(IPv6Network("::ffff:192.0.2.0/120"))) == IPv4Network("192.0.2.0/24")


def test_the_order_of_sets_and_tables_is_kept() -> None:
    value = (Set((b"b", b"a", b"b")), Table(((b"b", None), (b"a", None))))
    assert decode(encode(value)) == value


@pytest.mark.parametrize(
    ("body", "kind", "parts"),
    [
        (b"", "truncated", ("byte 0", "tag")),
        (b"\x0f", "tag", ("byte 0", "15")),
        (b"\x0e\x02\x00\xff", "tag", ("byte 3", "255")),
        (b"\x01\x02", "value", ("byte 1", "bool is 2")),
        (b"\x02" + bytes(7), "truncated", ("byte 1", "count needs 8 bytes, 7 are left")),
        (b"\x05\x03ab", "truncated", ("byte 2", "string needs 3 bytes, 2 are left")),
        (b"\x05\x80\x00", "value", ("byte 1", "shortest form")),
        (b"\x05\xff\xff\xff\xff\x10", "limit", ("byte 1", "length of string")),
        (b"\x05\xff\xff\xff\xff\xff", "limit", ("byte 1", "length of string")),
        (b"\x05\xff\xff\xff\xff\x0f", "truncated", ("4294967295 bytes",)),
        (b"\x08\x00\x35\x04", "value", ("byte 3", "protocol 4")),
        (b"\x07" + bytes(16) + b"\x81", "value", ("byte 17", "129 bits")),
        (b"\x07" + bytes(10) + b"\xff\xff" + bytes(4) + b"\x5f", "value", ("byte 17", "95 bits")),
        (b"\x07" + bytes(15) + b"\x01\x40", "value", ("byte 1", "beyond its prefix of 64 bits")),
        (b"\x0e\xff\xff\xff\xff\x0f", "truncated", ("byte 1", "4294967295 elements, but 0 bytes are left")),
        (b"\x0d\x02\x00\x00\x00", "truncated", ("byte 1", "table of 2 elements, but 3 bytes are left")),
        (b"\x00\x00\x00", "trailing", ("byte 1", "2 bytes after the end")),
    ],
)
def test_what_is_refused_and_why(body: bytes, kind: str, parts: tuple[str, ...]) -> None:
    refused(body, kind, *parts)


@pytest.mark.parametrize(("tag", "close"), [(b"\x0e\x01", b"\x00"), (b"\x0c\x01", b"\x00"), (b"\x0d\x01\x00", b"\x00")])
def test_depth_has_a_limit(tag: bytes, close: bytes) -> None:
    body = tag * MAX_DEPTH + close
    assert encode(decode(body)) == body
    refused(tag * (MAX_DEPTH + 1) + close, "limit", f"{MAX_DEPTH} containers")
    refused(tag * 1_000_000 + close, "limit")
    value = decode(body)
    with pytest.raises(WireError, match="containers in each other"):
        encode((value,))


def test_size_has_a_limit() -> None:
    assert len(encode(b"x" * (MAX_BODY - 5))) == MAX_BODY
    assert len(decode(encode(b"x" * (MAX_BODY - 5)))) == MAX_BODY - 5
    refused(bytes(MAX_BODY + 1), "limit", str(MAX_BODY))
    with pytest.raises(WireError, match=str(MAX_BODY)):
        encode(b"x" * (MAX_BODY - 4))


def test_the_number_of_values_has_a_limit() -> None:
    """One vector of so many unset fields that with it they are one too many."""
    assert len(decode(encode((None,) * (MAX_VALUES - 1)))) == MAX_VALUES - 1
    refused(b"\x0e\x80\x80\x40" + bytes(MAX_VALUES), "limit", str(MAX_VALUES))
    with pytest.raises(WireError, match=str(MAX_VALUES)):
        encode((None,) * MAX_VALUES)


@pytest.mark.parametrize(
    "unit",
    [b"\x00", b"\x0e\x00", b"\x0c\x00", b"\x0b\x00", b"\x02" + bytes(8), b"\x0d\x01\x00\x00", b"\x0e\x01\x0e\x00"],
    ids=["unset", "vector", "set", "enum", "count", "table", "nested"],
)
def test_memory_is_bounded_by_the_size_of_the_body(unit: bytes) -> None:
    """A decoded value takes 80 bytes of memory at most for each byte on the wire, whatever the body says."""
    count = 65_536 // len(unit)
    body = b"\x0e" + bytes((count & 0x7F | 0x80, count >> 7 & 0x7F | 0x80, count >> 14)) + unit * count
    if count < 1 << 14:
        body = b"\x0e" + bytes((count & 0x7F | 0x80, count >> 7)) + unit * count
    tracemalloc.start()
    value = decode(body)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(value) == count
    assert peak < 80 * len(body)


@pytest.mark.parametrize("tag", [b"\x05", b"\x0b", b"\x0c", b"\x0d", b"\x0e"])
def test_a_declared_size_allocates_nothing(tag: bytes) -> None:
    tracemalloc.start()
    started = time.perf_counter()
    for size in (b"\xff\xff\xff\xff\x0f", b"\xff" * 8 + b"\x0f", b"\x80" * 100_000):
        with pytest.raises(WireError):
            decode(tag + size)
    elapsed, peak = time.perf_counter() - started, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 300_000
    assert elapsed < 1.0


@pytest.mark.parametrize(
    ("value", "kind", "part"),
    [
        (Count(-1), "value", "Count"),
        (Count(2**64), "value", "Count"),
        (2**63, "value", "int"),
        (Time(2**63), "value", "Time"),
        (Interval(-(2**63) - 1), "value", "Interval"),
        (Port(65536, "tcp"), "value", "Port"),
        (Port(1, "sctp"), "value", "sctp"),
        (EnumName("\ud800"), "value", "enum"),
        (IPv6Address("fe80::1%eth0"), "value", "scope"),
        ("text", "type", "str"),
        ([1], "type", "list"),
        (object(), "type", "object"),
    ],
)
def test_what_cannot_be_encoded(value: Value, kind: str, part: str) -> None:
    with pytest.raises(WireError, match=part) as caught:
        encode((value,))
    assert caught.value.kind == kind


@settings(max_examples=50)
@given(ADDRESSES)
def test_addresses_and_their_bytes(address: IPv4Address | IPv6Address) -> None:
    packed = broker.packed_address(address)
    assert len(packed) == 16
    assert broker.address_of(packed) == address
