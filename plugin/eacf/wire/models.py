"""The part of contract v1 that is about models: a bundle over the bus, and orders about those that a worker has.

Said among workers and whoever pushes, never by or to Zeek; otherwise as `contract`, which reads these events as well.
"""

from __future__ import annotations

from collections.abc import Callable

from eacf.wire import envelope, fields
from eacf.wire.messages import (
    MAX_MANIFEST,
    MAX_ORDER,
    MAX_PART,
    MAX_REASON,
    MAX_SIZE,
    Message,
    ModelChunk,
    ModelDone,
    ModelOffer,
    ModelOrder,
    ModelOrdered,
    ModelWant,
)
from eacf.wire.values import Count, Value


def _read_offer(arguments: tuple[Value, ...]) -> ModelOffer:
    reply_to, manifest, size, sha256 = arguments
    return ModelOffer(
        fields.text(reply_to, "EACF::model_offer.reply_to"),
        fields.data(manifest, "EACF::model_offer.manifest", MAX_MANIFEST),
        fields.count(size, "EACF::model_offer.size", MAX_SIZE),
        fields.digest(sha256, "EACF::model_offer.sha256"),
    )


def _read_want(arguments: tuple[Value, ...]) -> ModelWant:
    worker, model, offset, room = arguments
    return ModelWant(
        fields.identity(worker, "EACF::model_want.worker"),
        fields.identity(model, "EACF::model_want.model"),
        fields.count(offset, "EACF::model_want.offset", MAX_SIZE),
        fields.count(room, "EACF::model_want.room", MAX_SIZE),
    )


def _read_chunk(arguments: tuple[Value, ...]) -> ModelChunk:
    model, offset, data = arguments
    return ModelChunk(
        fields.identity(model, "EACF::model_chunk.model"),
        fields.count(offset, "EACF::model_chunk.offset", MAX_SIZE),
        fields.data(data, "EACF::model_chunk.data", MAX_PART),
    )


def _read_done(arguments: tuple[Value, ...]) -> ModelDone:
    worker, model, outcome, reason = arguments
    return ModelDone(
        fields.identity(worker, "EACF::model_done.worker"),
        fields.identity(model, "EACF::model_done.model"),
        fields.identity(outcome, "EACF::model_done.outcome"),
        fields.text(reason, "EACF::model_done.reason", MAX_REASON),
    )


def _read_order(arguments: tuple[Value, ...]) -> ModelOrder:
    reply_to, order = arguments
    return ModelOrder(
        fields.text(reply_to, "EACF::model_order.reply_to"), fields.data(order, "EACF::model_order.order", MAX_ORDER)
    )


def _read_ordered(arguments: tuple[Value, ...]) -> ModelOrdered:
    worker, outcome, reason = arguments
    return ModelOrdered(
        fields.identity(worker, "EACF::model_ordered.worker"),
        fields.identity(outcome, "EACF::model_ordered.outcome"),
        fields.text(reason, "EACF::model_ordered.reason", MAX_REASON),
    )


# Event: number of arguments, reader.
EVENTS: dict[str, tuple[int, Callable[[tuple[Value, ...]], Message]]] = {
    "EACF::model_offer": (4, _read_offer),
    "EACF::model_want": (4, _read_want),
    "EACF::model_chunk": (3, _read_chunk),
    "EACF::model_done": (4, _read_done),
    "EACF::model_order": (2, _read_order),
    "EACF::model_ordered": (3, _read_ordered),
}


def offer_value(offer: ModelOffer) -> Value:
    """``EACF::model_offer(reply_to: string, manifest: string, size: count, sha256: string)``."""
    reply_to = envelope.string(offer.reply_to, "EACF::model_offer.reply_to")
    sha256 = envelope.string(offer.sha256, "EACF::model_offer.sha256")
    return envelope.wrap("EACF::model_offer", reply_to, offer.manifest, Count(offer.size), sha256)


def want_value(want: ModelWant) -> Value:
    """``EACF::model_want(worker: string, model: string, offset: count, room: count)``."""
    worker = envelope.string(want.worker, "EACF::model_want.worker")
    model = envelope.string(want.model, "EACF::model_want.model")
    return envelope.wrap("EACF::model_want", worker, model, Count(want.offset), Count(want.room))


def chunk_value(chunk: ModelChunk) -> Value:
    """``EACF::model_chunk(model: string, offset: count, data: string)``."""
    model = envelope.string(chunk.model, "EACF::model_chunk.model")
    return envelope.wrap("EACF::model_chunk", model, Count(chunk.offset), chunk.data)


def done_value(done: ModelDone) -> Value:
    """``EACF::model_done(worker: string, model: string, outcome: string, reason: string)``."""
    said = {key: envelope.string(getattr(done, key), f"EACF::model_done.{key}") for key in ModelDone.__slots__}
    return envelope.wrap("EACF::model_done", *said.values())


def order_value(order: ModelOrder) -> Value:
    """``EACF::model_order(reply_to: string, order: string)``."""
    return envelope.wrap(
        "EACF::model_order", envelope.string(order.reply_to, "EACF::model_order.reply_to"), order.order
    )


def ordered_value(ordered: ModelOrdered) -> Value:
    """``EACF::model_ordered(worker: string, outcome: string, reason: string)``."""
    said = {key: envelope.string(getattr(ordered, key), f"EACF::model_ordered.{key}") for key in ModelOrdered.__slots__}
    return envelope.wrap("EACF::model_ordered", *said.values())
