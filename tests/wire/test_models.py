"""The events about models: both ways, by bytes, and what is refused with which field."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eacf.errors import WireError
from eacf.wire import (
    MAX_MANIFEST,
    MAX_ORDER,
    MAX_PART,
    MAX_REASON,
    ModelChunk,
    ModelDone,
    ModelOffer,
    ModelOrder,
    ModelOrdered,
    ModelWant,
    decode_message,
    encode_model,
)
from eacf.wire.messages import MAX_SIZE

REPLY_TO = "eacf.control.reply.0123456789ab."
WORKER, MODEL, SHA = "0123456789ab", "ba9876543210", "0f" * 32

IDS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=64)
SIZES = st.integers(0, MAX_SIZE)
TEXTS = st.text(max_size=63)
MESSAGES = st.one_of(
    st.builds(ModelOffer, TEXTS, st.binary(), SIZES, st.from_regex("[0-9a-f]{64}", fullmatch=True)),
    st.builds(ModelWant, IDS, IDS, SIZES, SIZES),
    st.builds(ModelChunk, IDS, SIZES, st.binary()),
    st.builds(ModelDone, IDS, IDS, IDS, TEXTS),
    st.builds(ModelOrder, TEXTS, st.binary()),
    st.builds(ModelOrdered, IDS, IDS, TEXTS),
)


@given(MESSAGES)
def test_any_both_ways(message: ModelOffer) -> None:
    assert decode_message(encode_model(message)) == message


@given(MESSAGES, st.data())
def test_one_that_is_cut_is_refused(message: ModelOffer, data: st.DataObject) -> None:
    body = encode_model(message)
    with pytest.raises(WireError):
        decode_message(body[: data.draw(st.integers(0, len(body) - 1))])


def test_a_chunk_byte_by_byte() -> None:
    body = bytes.fromhex("0e03 020000000000000001 020000000000000001 0e02 0511") + b"EACF::model_chunk"
    body += bytes.fromhex("0e03 050c") + MODEL.encode() + bytes.fromhex("020000000000008000 0503") + b"abc"
    assert encode_model(ModelChunk(MODEL, 32_768, b"abc")) == body


def test_the_largest_of_each_fits() -> None:
    for message in (
        ModelOffer(REPLY_TO, bytes(MAX_MANIFEST), MAX_SIZE, SHA),
        ModelChunk(MODEL, MAX_SIZE, bytes(MAX_PART)),
        ModelDone(WORKER, MODEL, "refused", "x" * MAX_REASON),
        ModelOrder(REPLY_TO, bytes(MAX_ORDER)),
        ModelOrdered(WORKER, "refused", "x" * MAX_REASON),
    ):
        assert decode_message(encode_model(message)) == message


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (ModelOffer("x" * 256, b"", 0, SHA), "model_offer.reply_to"),
        (ModelOffer("\ud800", b"", 0, SHA), "model_offer.reply_to"),
        (ModelOffer(REPLY_TO, bytes(MAX_MANIFEST + 1), 0, SHA), "model_offer.manifest"),
        (ModelOffer(REPLY_TO, b"", MAX_SIZE + 1, SHA), "model_offer.size"),
        (ModelOffer(REPLY_TO, b"", 0, SHA.upper()), "model_offer.sha256"),
        (ModelOffer(REPLY_TO, b"", 0, SHA[:-1]), "model_offer.sha256"),
        (ModelWant("w w", MODEL, 0, 0), "model_want.worker"),
        (ModelWant(WORKER, "", 0, 0), "model_want.model"),
        (ModelWant(WORKER, MODEL, MAX_SIZE + 1, 0), "model_want.offset"),
        (ModelWant(WORKER, MODEL, 0, MAX_SIZE + 1), "model_want.room"),
        (ModelChunk(MODEL, 0, bytes(MAX_PART + 1)), "model_chunk.data"),
        (ModelDone(WORKER, MODEL, "", "why"), "model_done.outcome"),
        (ModelDone(WORKER, MODEL, "refused", "x" * (MAX_REASON + 1)), "model_done.reason"),
        (ModelOrder(REPLY_TO, bytes(MAX_ORDER + 1)), "model_order.order"),
        (ModelOrdered(WORKER, "re fused", ""), "model_ordered.outcome"),
    ],
)
def test_what_no_reader_takes_is_not_written(message: ModelOffer, field: str) -> None:
    with pytest.raises(WireError, match=f"EACF::{field}"):
        encode_model(message)
