"""The way in and out for every message of the contract."""

from __future__ import annotations

import pytest

import eacf.wire as wire
from eacf.errors import WireError
from eacf.flow import Needs
from eacf.wire import (
    Hello,
    StatusReply,
    StatusRequest,
    Who,
    decode_message,
    encode_hello,
    encode_status_reply,
    encode_status_request,
    encode_who,
)


def test_the_small_messages_both_ways() -> None:
    needs = Needs(0, 3000, 8, chunks=False)
    assert decode_message(encode_who()) == Who()
    assert decode_message(encode_hello("0123456789ab", "ba9876543210", needs)) == Hello(
        "0123456789ab", "ba9876543210", needs
    )
    assert decode_message(encode_status_request("eacf.control.reply.x.")) == StatusRequest("eacf.control.reply.x.")
    assert decode_message(encode_status_reply("w", '{"ä": 1}')) == StatusReply("w", '{"ä": 1}')


def test_who_byte_by_byte() -> None:
    assert encode_who() == bytes.fromhex("0e03 020000000000000001 020000000000000001 0e02 0509") + b"EACF::who\x0e\x00"


@pytest.mark.parametrize(
    "encode",
    [
        lambda: encode_hello("", "m", Needs()),
        lambda: encode_hello("w", "m m", Needs()),
        lambda: encode_hello("w", "m", Needs(payload_bytes=65537)),
        lambda: encode_hello("w", "m", Needs(payload_bytes=-1)),
        lambda: encode_hello("w", "m", Needs(chunks=1)),
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
