"""Bodies to messages and back: the fast way where it applies, the general one for all else."""

from __future__ import annotations

from collections.abc import Sequence

from eacf.flow import Needs, Sample
from eacf.verdict import Verdict
from eacf.wire import acts as act_events
from eacf.wire import broker, contract, flows, models
from eacf.wire.messages import (
    Act,
    Acted,
    Message,
    ModelChunk,
    ModelDone,
    ModelOffer,
    ModelOrder,
    ModelOrdered,
    ModelWant,
)
from eacf.wire.values import Value
from eacf.wire.verdicts import write_verdicts


def decode_message(body: bytes) -> Message:
    """The message in `body`, the fourth frame of the bus; WireError where contract v1 does not allow it."""
    return flows.read_flows(body) or decode_general(body)


def decode_general(body: bytes) -> Message:
    """As `decode_message`, by way of `broker` and `contract` alone: slow, and what the fast way is held against."""
    return contract.message_of(broker.decode(body))


def encode_flow(reply_to: str, sample: Sample) -> bytes:
    """``EACF::flow``: one sample, as the recordings hold them."""
    body = flows.write_flows(reply_to, (sample,), many=False)
    return _encode(contract.flow_value(reply_to, sample)) if body is None else body


def encode_flows(reply_to: str, samples: Sequence[Sample]) -> bytes:
    """``EACF::flows``: many samples in one message."""
    body = flows.write_flows(reply_to, samples, many=True)
    return _encode(contract.flows_value(reply_to, samples)) if body is None else body


def encode_who() -> bytes:
    """``EACF::who``."""
    return _encode(contract.who_value())


def encode_hello(worker: str, model: str, needs: Needs) -> bytes:
    """``EACF::hello``."""
    return _encode(contract.hello_value(worker, model, needs))


def encode_verdicts(worker: str, verdicts: Sequence[Verdict]) -> bytes:
    """``EACF::verdicts``: many verdicts in one message."""
    body = write_verdicts(worker, verdicts)
    return _encode(contract.verdicts_value(worker, verdicts)) if body is None else body


def encode_tap_who(reply_to: str) -> bytes:
    """``EACF::tap_who``."""
    return _encode(contract.tap_who_value(reply_to))


def encode_tap_ready(tap: str, needs: Needs, share: float, received: int, window: int) -> bytes:
    """``EACF::tap_ready``."""
    return _encode(contract.tap_ready_value(tap, needs, share, received, window))


def encode_status_request(reply_to: str) -> bytes:
    """``EACF::status_request``."""
    return _encode(contract.status_request_value(reply_to))


def encode_status_reply(worker: str, report: str) -> bytes:
    """``EACF::status_reply``."""
    return _encode(contract.status_reply_value(worker, report))


def encode_alarm(worker: str, model: str, kind: str, text: str) -> bytes:
    """``EACF::alarm``."""
    return _encode(contract.alarm_value(worker, model, kind, text))


def encode_model(message: ModelOffer | ModelWant | ModelChunk | ModelDone | ModelOrder | ModelOrdered) -> bytes:
    """``EACF::model_offer`` and the other events about models."""
    match message:
        case ModelOffer():
            value = models.offer_value(message)
        case ModelWant():
            value = models.want_value(message)
        case ModelChunk():
            value = models.chunk_value(message)
        case ModelDone():
            value = models.done_value(message)
        case ModelOrder():
            value = models.order_value(message)
        case ModelOrdered():
            value = models.ordered_value(message)
    return _encode(value)


def encode_acts(reply_to: str, acts: Sequence[Act]) -> bytes:
    """``EACF::acts``."""
    return _encode(act_events.acts_value(reply_to, acts))


def encode_unacts(reply_to: str, ids: Sequence[str]) -> bytes:
    """``EACF::unacts``."""
    return _encode(act_events.unacts_value(reply_to, ids))


def encode_acted(agent: str, answers: Sequence[Acted]) -> bytes:
    """``EACF::acted``."""
    return _encode(act_events.acted_value(agent, answers))


def _encode(value: Value) -> bytes:
    """The body of `value`, which the reader of the contract must take as well: nobody sends what nobody takes."""
    body = broker.encode(value)
    contract.message_of(value)
    return body
