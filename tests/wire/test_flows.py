"""The fast way of flows says what the general way says, takes the usual shape and leaves the rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eacf.errors import WireError
from eacf.flow import Chunk, Sample
from eacf.wire import broker, contract, count_flows, decode_message, encode_flow, encode_flows, encode_who
from eacf.wire.codec import decode_general
from eacf.wire.flows import MAX_METADATA, read_flows, write_flows
from eacf.wire.messages import MAX_CHUNK, MAX_PAYLOAD, MAX_RECORD, MAX_SAMPLES, Flows, Message
from eacf.wire.runs import MAX_RUN
from eacf.wire.values import Count, Time, Value

SAMPLE = Sample(
    "CHhAvVGS1DHFjwGM9",
    1_700_000_000_000_000_001,
    IPv4Address("192.0.2.1"),
    50000,
    IPv6Address("2001:db8::1"),
    443,
    "www.example.com",
    bytes(range(256)) * 12,
    [Chunk(3000, True, 0), Chunk(72, False, 1_000_000)],
    [517, -1200, 0],
)
REPLY_TO = "eacf.verdict.zeek."

PORTS = st.integers(0, 65535)
CHUNKS = st.builds(Chunk, st.integers(0, MAX_CHUNK), st.booleans(), st.integers(-(2**63), 2**63 - 1))
NAMES = st.one_of(
    st.none(),
    st.just("www.example.com"),
    st.binary(max_size=300).map(lambda name: name.decode("utf-8", "surrogateescape")),
)
SAMPLES = st.builds(
    Sample,
    st.one_of(st.text("0123456789ABCabc", min_size=1, max_size=64), st.text("!#~:C", min_size=1, max_size=9)),
    st.integers(-(2**63), 2**63 - 1),
    st.ip_addresses(v=4),
    PORTS,
    st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6).filter(lambda address: address.ipv4_mapped is None)),
    PORTS,
    NAMES,
    st.one_of(st.binary(max_size=300), st.integers(0, 2000).map(bytes)),
    st.lists(CHUNKS, max_size=20),
    st.lists(st.integers(-MAX_RECORD, MAX_RECORD), max_size=30),
)


def with_metadata(body: bytes, metadata: Value) -> bytes:
    version, kind, (name, arguments) = broker.decode(body)
    return broker.encode((version, kind, (name, arguments, metadata)))


def outcome(read: Callable[[bytes], Message], body: bytes) -> Message | tuple[str, str]:
    """The message, or kind and text of the error."""
    try:
        return read(body)
    except WireError as error:
        return error.kind, str(error)


def both(body: bytes) -> Message | tuple[str, str]:
    """What both ways say of `body`: the same message, or kind and text of the same error."""
    fast, general = read_flows(body), outcome(decode_general, body)
    assert fast is None or fast == general
    assert outcome(decode_message, body) == general
    return general


def test_every_recording_both_ways(recorded: list[bytes]) -> None:
    assert len(recorded) == 3147
    for body in recorded:
        message = read_flows(body)
        assert message is not None
        assert message == decode_general(body)
        assert write_flows(message.reply_to, message.samples, many=False) == body
        assert encode_flow(message.reply_to, message.samples[0]) == body
        assert broker.encode(contract.flow_value(message.reply_to, message.samples[0])) == body
        assert count_flows(body) == 1


def test_recordings_gathered_into_larger_messages(recorded: list[bytes]) -> None:
    samples = [sample for body in recorded for sample in decode_message(body).samples]
    for start in range(0, len(samples), 32):
        some = samples[start : start + 32]
        body = encode_flows(REPLY_TO, some)
        assert body == broker.encode(contract.flows_value(REPLY_TO, some))
        assert read_flows(body) == decode_general(body) == Flows(REPLY_TO, some)
        assert count_flows(body) == len(some)


@given(st.lists(SAMPLES, max_size=4))
def test_many_samples_both_ways(samples: list[Sample]) -> None:
    body = encode_flows(REPLY_TO, samples)
    assert body == broker.encode(contract.flows_value(REPLY_TO, samples))
    assert both(body) == Flows(REPLY_TO, samples)
    assert count_flows(body) == len(samples)


@given(SAMPLES)
def test_one_sample_both_ways(sample: Sample) -> None:
    body = encode_flow(REPLY_TO, sample)
    assert body == broker.encode(contract.flow_value(REPLY_TO, sample))
    assert both(body) == Flows(REPLY_TO, [sample])
    assert (read_flows(body) is not None) == sample.uid.isalnum()


@given(st.lists(SAMPLES, max_size=3), st.data())
def test_a_changed_byte_is_the_same_to_both(samples: list[Sample], data: st.DataObject) -> None:
    body = bytearray(encode_flows(REPLY_TO, samples))
    for _ in range(data.draw(st.integers(1, 2))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    both(bytes(body))


def test_every_byte_of_a_head_and_a_tail_changed() -> None:
    """Each byte that is not payload set to each of a few values, and each cut, in one and in many samples."""
    sample = replace(SAMPLE, payload=b"ab")
    nameless = replace(sample, server_name=None)
    for body in (encode_flow("t", sample), encode_flow("t", nameless), encode_flows("t", [sample, nameless])):
        for at in range(len(body)):
            for value in {0, 1, 2, 3, 5, 0x0E, 0x7F, 0x80, 0xFF, body[at] ^ 1, body[at] + 1 & 0xFF}:
                both(body[:at] + bytes((value,)) + body[at + 1 :])
            assert both(body[:at])[0] == "truncated"
        assert both(body + b"\x00")[0] == "trailing"


USUAL: dict[str, Sample] = {
    "as is": SAMPLE,
    "no name": replace(SAMPLE, server_name=None),
    "long name": replace(SAMPLE, server_name="x" * 16383),
    "not UTF-8": replace(SAMPLE, server_name="caf\udce9"),
    "empty": replace(SAMPLE, payload=b"", chunks=[], records=[]),
    "records only": replace(SAMPLE, payload=b"", chunks=[], records=[1] * 8),
    "small payload": replace(SAMPLE, payload=bytes(127)),
    "large payload": replace(SAMPLE, payload=bytes(16383)),
    "many": replace(SAMPLE, chunks=[Chunk(1, True, 1)] * MAX_RUN, records=[-1] * MAX_RUN),
    "extremes": replace(SAMPLE, chunks=[Chunk(MAX_CHUNK, True, -(2**63))], records=[MAX_RECORD, -MAX_RECORD]),
}
UNUSUAL: dict[str, Sample] = {
    "longer name": replace(SAMPLE, server_name="x" * 16384),
    "larger payload": replace(SAMPLE, payload=bytes(16384)),
    "largest payload": replace(SAMPLE, payload=bytes(MAX_PAYLOAD)),
    "more chunks": replace(SAMPLE, chunks=[Chunk(1, True, 1)] * (MAX_RUN + 1)),
    "more records": replace(SAMPLE, records=[-1] * (MAX_RUN + 1)),
    "uid with punctuation": replace(SAMPLE, uid="C1-2"),
}


@pytest.mark.parametrize("name", USUAL)
def test_the_usual_takes_the_fast_way(name: str) -> None:
    sample = USUAL[name]
    for body in (encode_flow(REPLY_TO, sample), encode_flows(REPLY_TO, [sample] * 3)):
        assert read_flows(body) is not None
        assert both(body) == Flows(REPLY_TO, [sample] * count_flows(body))


@pytest.mark.parametrize("name", UNUSUAL)
def test_the_unusual_takes_the_general_way(name: str) -> None:
    sample = UNUSUAL[name]
    for body in (encode_flow(REPLY_TO, sample), encode_flows(REPLY_TO, [SAMPLE, sample])):
        assert read_flows(body) is None
        message = both(body)
        assert isinstance(message, Flows)
        assert message.samples[-1] == sample


def test_metadata_takes_the_fast_way_where_it_is_small() -> None:
    stamp = ((Count(1), Time(5)),)
    for body, count in ((encode_flow(REPLY_TO, SAMPLE), 1), (encode_flows(REPLY_TO, [SAMPLE, SAMPLE]), 2)):
        for metadata in ((), stamp):
            stamped = with_metadata(body, metadata)
            assert read_flows(stamped) == both(stamped) == Flows(REPLY_TO, [SAMPLE] * count)
            assert count_flows(stamped) == count
        large = with_metadata(body, ((Count(200), bytes(MAX_METADATA)),))
        assert read_flows(large) is None
        assert both(large) == Flows(REPLY_TO, [SAMPLE] * count)
        for wrong in (None, (b"x",)):
            assert both(with_metadata(body, wrong))[0] == "envelope"
        assert both(with_metadata(body, stamp) + b"\x00")[0] == "trailing"
        assert both(with_metadata(body, stamp)[:-1])[0] == "truncated"


def test_a_surplus_field_takes_the_general_way() -> None:
    version, kind, (name, (reply_to, sample)) = broker.decode(encode_flow(REPLY_TO, SAMPLE))
    body = broker.encode((version, kind, (name, (reply_to, (*sample, b"new")))))
    assert read_flows(body) is None
    assert both(body) == Flows(REPLY_TO, [SAMPLE])


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"uid": ""}, ".uid"),
        ({"uid": "x" * 65}, ".uid"),
        ({"uid": "ä"}, ".uid"),
        ({"orig_p": 65536}, "Port"),
        ({"resp_p": -1}, "Port"),
        ({"start_ns": 2**63}, "Time"),
        ({"orig_h": IPv6Address("fe80::1%eth0")}, "scope"),
        ({"server_name": "\ud800"}, ".server_name"),
        ({"server_name": "x" * 65536}, ".server_name"),
        ({"payload": bytes(MAX_PAYLOAD + 1)}, ".payload"),
        ({"chunks": [Chunk(-1, True, 0)]}, "Count"),
        ({"chunks": [Chunk(MAX_CHUNK + 1, True, 0)]}, ".chunks[0].len"),
        ({"chunks": [Chunk(1, True, 2**63)]}, "Interval"),
        ({"records": [MAX_RECORD + 1]}, ".records[0]"),
        ({"records": [1, -MAX_RECORD - 1]}, ".records[1]"),
        ({"records": [2**63]}, "int"),
        ({"records": [1.5]}, "double"),
    ],
)
def test_what_no_reader_takes_is_not_written(change: dict[str, object], where: str) -> None:
    sample = replace(SAMPLE, **change)
    assert write_flows(REPLY_TO, [sample], many=True) is None
    for encode in (lambda: encode_flow(REPLY_TO, sample), lambda: encode_flows(REPLY_TO, [SAMPLE, sample])):
        with pytest.raises(WireError) as caught:
            encode()
        assert where in str(caught.value)


def test_limits_of_a_message() -> None:
    small = replace(SAMPLE, payload=b"")
    assert len(both(encode_flows(REPLY_TO, [small] * MAX_SAMPLES)).samples) == MAX_SAMPLES
    with pytest.raises(WireError, match="257 elements"):
        encode_flows(REPLY_TO, [small] * (MAX_SAMPLES + 1))
    with pytest.raises(WireError, match="reply_to"):
        encode_flows("x" * 256, [small])
    with pytest.raises(WireError, match="reply_to"):
        encode_flow("\udce9", small)
    with pytest.raises(WireError, match="bytes are taken"):
        encode_flows(REPLY_TO, [replace(SAMPLE, payload=bytes(MAX_PAYLOAD))] * 70)


def test_the_fullest_lawful_message_is_taken() -> None:
    """32 samples of 4,000 payload bytes, each byte a record and a chunk of its own."""
    sample = replace(SAMPLE, payload=bytes(4000), chunks=[Chunk(1, True, 1)] * 4000, records=[1] * 4000)
    body = encode_flows(REPLY_TO, [sample] * 32)
    message = decode_message(body)
    assert isinstance(message, Flows)
    assert message.samples[31] == sample


def test_lengths_that_only_a_careless_reader_takes() -> None:
    """Longer than needed, or more bytes than the fast way reads: right only where the rest of the length is overlooked."""
    body = encode_flow("t", replace(SAMPLE, payload=b"ab", chunks=[], records=[]))
    before, after = body.split(b"\x05\x02ab")
    assert both(before + b"\x05\x82\x00ab" + after)[0] == "value"
    assert isinstance(both(before + b"\x05\x80\x80" + bytes(128 << 7) + after), tuple)
    before, after = body.split(b"\x05\x01t")
    assert isinstance(both(before + b"\x05\x80" + b"t" * 128 + after), tuple)
    before, sample = encode_flows("t", [SAMPLE]).split(b"\x0e\x01\x0e\x0a")
    assert both(before + b"\x0e\x01\x0e\x0a" + sample) == Flows("t", [SAMPLE])
    assert isinstance(both(before + b"\x0e\x80" + (b"\x0e\x0a" + sample) * 128), tuple)


def test_size_and_depth_are_the_same_to_both() -> None:
    large = replace(SAMPLE, server_name="x" * 16383, payload=bytes(16383), chunks=[Chunk(1, True, 1)] * MAX_RUN)
    before, sample = encode_flows("t", [large]).split(b"\x0e\x01\x0e\x0a")
    body = before + b"\x0e\x7f" + (b"\x0e\x0a" + sample) * 127
    assert len(body) > broker.MAX_BODY
    assert both(body)[0] == "limit"
    stamped = with_metadata(encode_flow("t", SAMPLE), ((Count(1), b"nested"),))
    # Metadata's own vector and pair, and body and content around it, are four containers already.
    for depth in (broker.MAX_DEPTH - 4, broker.MAX_DEPTH - 3):
        outcome = both(stamped.replace(b"\x05\x06nested", b"\x0e\x01" * (depth - 1) + b"\x0e\x00"))
        assert outcome == Flows("t", [SAMPLE]) if depth + 4 <= broker.MAX_DEPTH else outcome[0] == "limit"


def test_counting_what_is_no_flow() -> None:
    body = encode_flows(REPLY_TO, [SAMPLE] * 3)
    at = body.index(b"\x0e\x03\x0e\x0a")
    assert count_flows(body) == 3
    for wrong in (b"", b"\x0e", encode_who(), body[:40], body[:at], body[: at + 1], b"x" + body):
        assert count_flows(wrong) == 0
    assert count_flows(body[:at] + b"\x0c" + body[at + 1 :]) == 0
    assert count_flows(body[:at] + b"\x0e\xff\xff\xff\xff\x0f") == 0
    assert count_flows(body[:at] + b"\x0e\x81\x02") == 0
    assert count_flows(body[: at + 2]) == 3


@given(st.binary(max_size=80), st.integers(0, 80))
def test_counting_never_fails(rest: bytes, cut: int) -> None:
    body = encode_flows(REPLY_TO, [replace(SAMPLE, payload=b"")])
    assert 0 <= count_flows(body[:cut] + rest) <= MAX_SAMPLES
