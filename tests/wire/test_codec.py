"""The way in and out for every message of the contract."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import eacf.wire as wire
from eacf.errors import WireError
from eacf.flow import Needs
from eacf.wire import (
    Hello,
    StatusReply,
    StatusRequest,
    TapReady,
    TapWho,
    Who,
    decode_message,
    encode_hello,
    encode_status_reply,
    encode_status_request,
    encode_tap_ready,
    encode_tap_who,
    encode_who,
)
from eacf.wire.messages import MAX_NEED, MAX_PAYLOAD, MAX_RECEIVED, MAX_RECORDS, MAX_WINDOW

NEEDS = st.builds(
    Needs, st.integers(0, MAX_PAYLOAD), st.integers(0, MAX_NEED), st.integers(0, MAX_RECORDS), st.booleans()
)
READY = st.builds(
    TapReady,
    st.text("0123456789abcdef", min_size=12, max_size=12),
    NEEDS,
    st.floats(0, 1, exclude_min=True),
    st.integers(0, MAX_RECEIVED),
    st.integers(0, MAX_WINDOW),
)


def encode_ready(said: TapReady) -> bytes:
    return encode_tap_ready(said.tap, said.needs, said.share, said.received, said.window)


def test_the_small_messages_both_ways() -> None:
    needs = Needs(0, 3000, 8, chunks=False)
    assert decode_message(encode_who()) == Who()
    assert decode_message(encode_hello("0123456789ab", "ba9876543210", needs)) == Hello(
        "0123456789ab", "ba9876543210", needs
    )
    assert decode_message(encode_tap_who("eacf.verdict.zeek.")) == TapWho("eacf.verdict.zeek.")
    ready = TapReady("0123456789ab", needs, 0.25, 1000, 256)
    assert decode_message(encode_ready(ready)) == ready
    assert decode_message(encode_status_request("eacf.control.reply.x.")) == StatusRequest("eacf.control.reply.x.")
    assert decode_message(encode_status_reply("w", '{"ä": 1}')) == StatusReply("w", '{"ä": 1}')


def test_who_byte_by_byte() -> None:
    assert encode_who() == bytes.fromhex("0e03 020000000000000001 020000000000000001 0e02 0509") + b"EACF::who\x0e\x00"


def test_ready_byte_by_byte() -> None:
    body = bytes.fromhex("0e03 020000000000000001 020000000000000001 0e02 050f") + b"EACF::tap_ready"
    body += bytes.fromhex("0e05 050c") + b"0123456789ab"
    body += bytes.fromhex("0e04 020000000000000000 020000000000000bb8 020000000000000010 0101")
    body += bytes.fromhex("043fd0000000000000 0200000000000003e8 020000000000000100")
    assert encode_tap_ready("0123456789ab", Needs(0, 3000, 16, chunks=True), 0.25, 1000, 256) == body


@given(READY)
def test_any_ready_both_ways(ready: TapReady) -> None:
    assert decode_message(encode_ready(ready)) == ready


@given(st.text(max_size=63))
def test_any_reply_to_of_a_tap_who_both_ways(reply_to: str) -> None:
    assert decode_message(encode_tap_who(reply_to)) == TapWho(reply_to)


@given(READY, st.data())
def test_a_ready_that_is_cut_is_refused(ready: TapReady, data: st.DataObject) -> None:
    body = encode_ready(ready)
    with pytest.raises(WireError):
        decode_message(body[: data.draw(st.integers(0, len(body) - 1))])


@pytest.mark.parametrize(
    "encode",
    [
        lambda: encode_hello("", "m", Needs()),
        lambda: encode_hello("w", "m m", Needs()),
        lambda: encode_hello("w", "m", Needs(payload_bytes=65537)),
        lambda: encode_hello("w", "m", Needs(payload_bytes=-1)),
        lambda: encode_hello("w", "m", Needs(chunks=1)),
        lambda: encode_tap_who("x" * 256),
        lambda: encode_tap_ready("0123456789ab", Needs(), 0.0, 0, 256),
        lambda: encode_tap_ready("0123456789ab", Needs(), 1.5, 0, 256),
        lambda: encode_tap_ready("0123456789ab", Needs(), 1.0, -1, 256),
        lambda: encode_tap_ready("0123456789ab", Needs(), 1.0, MAX_RECEIVED + 1, 256),
        lambda: encode_tap_ready("0123456789ab", Needs(), 1.0, 0, MAX_WINDOW + 1),
        lambda: encode_status_request("x" * 256),
        lambda: encode_status_request("\ud800"),
        lambda: encode_status_reply("w", "x" * (1 << 20) + "x"),
    ],
)
def test_what_no_reader_takes_is_not_written(encode: object) -> None:
    with pytest.raises(WireError):
        encode()


def test_errors_of_a_recorded_foreign_event(value_types: dict[str, bytes]) -> None:
    with pytest.raises(WireError, match="'Zoo::one' is not in contract v1") as caught:
        decode_message(value_types["bool_true"])
    assert caught.value.kind == "event"


def test_all_that_is_exported_is_there() -> None:
    assert sorted(set(wire.__all__)) == sorted(wire.__all__)
    assert all(hasattr(wire, name) for name in wire.__all__)
