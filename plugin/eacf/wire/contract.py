"""Contract v1 in full generality: Broker values to typed messages and back.

A record may have more fields than the contract knows (a newer sender), and may end before its trailing &optional
ones; an event must have exactly its arguments, since a change of those makes a new event. Anything else is refused
with the path of the field. What is read fast elsewhere is defined here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from eacf.errors import WireError
from eacf.flow import Chunk, Needs, Sample
from eacf.verdict import Verdict
from eacf.wire import acts, envelope, fields, models
from eacf.wire.messages import (
    MAX_CHUNK,
    MAX_CHUNKS,
    MAX_NEED,
    MAX_PAYLOAD,
    MAX_RECEIVED,
    MAX_RECORD,
    MAX_RECORDS,
    MAX_REPORT,
    MAX_SAMPLES,
    MAX_VERDICTS,
    MAX_WINDOW,
    Alarm,
    Flows,
    Hello,
    Message,
    StatusReply,
    StatusRequest,
    TapReady,
    TapWho,
    Verdicts,
    Who,
)
from eacf.wire.values import Count, Interval, Port, Time, Value


def message_of(value: Value) -> Message:
    """The message that a body's value holds; WireError ``event`` where the event is none of the contract's."""
    name, arguments = envelope.unwrap(value)
    if name not in _EVENTS:
        raise WireError("event", f"event {name!r} is not in contract v1")
    expected, read = _EVENTS[name]
    if len(arguments) != expected:
        raise WireError("arguments", f"{name}: {len(arguments)} arguments, expected {expected}")
    return read(arguments)


def _read_flow(arguments: tuple[Value, ...]) -> Flows:
    reply_to, sample = arguments
    return Flows(fields.text(reply_to, "EACF::flow.reply_to"), [_read_sample(sample, "EACF::flow.s")])


def _read_flows(arguments: tuple[Value, ...]) -> Flows:
    reply_to = fields.text(arguments[0], "EACF::flows.reply_to")
    samples = fields.vector(arguments[1], "EACF::flows.v", MAX_SAMPLES)
    return Flows(reply_to, [_read_sample(sample, f"EACF::flows.v[{i}]") for i, sample in enumerate(samples)])


def _read_sample(value: Value, where: str) -> Sample:
    field = fields.record(value, where, 10)
    chunks = fields.vector(field[8], f"{where}.chunks", MAX_CHUNKS)
    records = fields.vector(field[9], f"{where}.records", MAX_RECORDS)
    return Sample(
        uid=fields.identity(field[0], f"{where}.uid"),
        start_ns=fields.time_ns(field[1], f"{where}.start"),
        orig_h=fields.address(field[2], f"{where}.orig_h"),
        orig_p=fields.tcp_port(field[3], f"{where}.orig_p"),
        resp_h=fields.address(field[4], f"{where}.resp_h"),
        resp_p=fields.tcp_port(field[5], f"{where}.resp_p"),
        server_name=fields.server_name(field[6], f"{where}.server_name"),
        payload=fields.data(field[7], f"{where}.payload", MAX_PAYLOAD),
        chunks=[_read_chunk(chunk, f"{where}.chunks[{i}]") for i, chunk in enumerate(chunks)],
        records=[fields.integer(length, f"{where}.records[{i}]", MAX_RECORD) for i, length in enumerate(records)],
    )


def _read_chunk(value: Value, where: str) -> Chunk:
    length, is_orig, gap = fields.record(value, where, 3)[:3]
    return Chunk(
        fields.count(length, f"{where}.len", MAX_CHUNK),
        fields.boolean(is_orig, f"{where}.is_orig"),
        fields.interval_ns(gap, f"{where}.gap"),
    )


def _read_hello(arguments: tuple[Value, ...]) -> Hello:
    worker, model, needs = arguments
    return Hello(
        fields.identity(worker, "EACF::hello.worker"),
        fields.identity(model, "EACF::hello.model"),
        _read_needs(needs, "EACF::hello.n"),
    )


def _read_needs(value: Value, where: str) -> Needs:
    payload_bytes, window_bytes, records, chunks = fields.record(value, where, 4)[:4]
    return Needs(
        fields.count(payload_bytes, f"{where}.payload_bytes", MAX_PAYLOAD),
        fields.count(window_bytes, f"{where}.window_bytes", MAX_NEED),
        fields.count(records, f"{where}.records", MAX_RECORDS),
        fields.boolean(chunks, f"{where}.chunks"),
    )


def _read_verdicts(arguments: tuple[Value, ...]) -> Verdicts:
    worker = fields.identity(arguments[0], "EACF::verdicts.worker")
    verdicts = fields.vector(arguments[1], "EACF::verdicts.v", MAX_VERDICTS)
    return Verdicts(worker, [_read_verdict(verdict, f"EACF::verdicts.v[{i}]") for i, verdict in enumerate(verdicts)])


def _read_verdict(value: Value, where: str) -> Verdict:
    field = (*fields.record(value, where, 4), None, None)
    return Verdict(
        uid=fields.identity(field[0], f"{where}.uid"),
        label=fields.optional_text(field[1], f"{where}.label"),
        confidence=fields.probability(field[2], f"{where}.confidence"),
        model=fields.identity(field[3], f"{where}.model"),
        reason=fields.optional_text(field[4], f"{where}.reason"),
        sni_label=fields.optional_text(field[5], f"{where}.sni_label"),
    )


def _read_tap_who(arguments: tuple[Value, ...]) -> TapWho:
    return TapWho(fields.text(arguments[0], "EACF::tap_who.reply_to"))


def _read_tap_ready(arguments: tuple[Value, ...]) -> TapReady:
    tap, needs, share, received, window = arguments
    return TapReady(
        fields.identity(tap, "EACF::tap_ready.tap"),
        _read_needs(needs, "EACF::tap_ready.n"),
        fields.share(share, "EACF::tap_ready.share"),
        fields.count(received, "EACF::tap_ready.received", MAX_RECEIVED),
        fields.count(window, "EACF::tap_ready.window", MAX_WINDOW),
    )


def _read_status_request(arguments: tuple[Value, ...]) -> StatusRequest:
    return StatusRequest(fields.text(arguments[0], "EACF::status_request.reply_to"))


def _read_status_reply(arguments: tuple[Value, ...]) -> StatusReply:
    return StatusReply(
        fields.identity(arguments[0], "EACF::status_reply.worker"),
        fields.text(arguments[1], "EACF::status_reply.report", MAX_REPORT),
    )


def _read_alarm(arguments: tuple[Value, ...]) -> Alarm:
    worker, model, kind, text = arguments
    return Alarm(
        fields.identity(worker, "EACF::alarm.worker"),
        fields.identity(model, "EACF::alarm.model"),
        fields.text(kind, "EACF::alarm.kind"),
        fields.text(text, "EACF::alarm.text"),
    )


# Event: number of arguments, reader.
_EVENTS: dict[str, tuple[int, Callable[[tuple[Value, ...]], Message]]] = {
    "EACF::flow": (2, _read_flow),
    "EACF::flows": (2, _read_flows),
    "EACF::who": (0, lambda arguments: Who()),
    "EACF::hello": (3, _read_hello),
    "EACF::verdicts": (2, _read_verdicts),
    "EACF::tap_who": (1, _read_tap_who),
    "EACF::tap_ready": (5, _read_tap_ready),
    "EACF::status_request": (1, _read_status_request),
    "EACF::status_reply": (2, _read_status_reply),
    "EACF::alarm": (4, _read_alarm),
    **models.EVENTS,
    **acts.EVENTS,
}


def flow_value(reply_to: str, sample: Sample) -> Value:
    """``EACF::flow(reply_to: string, s: Sample)``."""
    return envelope.wrap(
        "EACF::flow", envelope.string(reply_to, "EACF::flow.reply_to"), _sample_value(sample, "EACF::flow.s")
    )


def flows_value(reply_to: str, samples: Sequence[Sample]) -> Value:
    """``EACF::flows(reply_to: string, v: vector of Sample)``."""
    values = tuple([_sample_value(sample, f"EACF::flows.v[{i}]") for i, sample in enumerate(samples)])
    return envelope.wrap("EACF::flows", envelope.string(reply_to, "EACF::flows.reply_to"), values)


def who_value() -> Value:
    """``EACF::who()``."""
    return envelope.wrap("EACF::who")


def hello_value(worker: str, model: str, needs: Needs) -> Value:
    """``EACF::hello(worker: string, model: string, n: Needs)``."""
    names = envelope.string(worker, "EACF::hello.worker"), envelope.string(model, "EACF::hello.model")
    return envelope.wrap("EACF::hello", *names, _needs_value(needs))


def verdicts_value(worker: str, verdicts: Sequence[Verdict]) -> Value:
    """``EACF::verdicts(worker: string, v: vector of Verdict)``."""
    values = tuple([_verdict_value(verdict, f"EACF::verdicts.v[{i}]") for i, verdict in enumerate(verdicts)])
    return envelope.wrap("EACF::verdicts", envelope.string(worker, "EACF::verdicts.worker"), values)


def tap_who_value(reply_to: str) -> Value:
    """``EACF::tap_who(reply_to: string)``."""
    return envelope.wrap("EACF::tap_who", envelope.string(reply_to, "EACF::tap_who.reply_to"))


def tap_ready_value(tap: str, needs: Needs, share: float, received: int, window: int) -> Value:
    """``EACF::tap_ready(tap: string, n: Needs, share: double, received: count, window: count)``."""
    name = envelope.string(tap, "EACF::tap_ready.tap")
    return envelope.wrap("EACF::tap_ready", name, _needs_value(needs), float(share), Count(received), Count(window))


def status_request_value(reply_to: str) -> Value:
    """``EACF::status_request(reply_to: string)``."""
    return envelope.wrap("EACF::status_request", envelope.string(reply_to, "EACF::status_request.reply_to"))


def status_reply_value(worker: str, report: str) -> Value:
    """``EACF::status_reply(worker: string, report: string)``."""
    texts = envelope.string(worker, "EACF::status_reply.worker"), envelope.string(report, "EACF::status_reply.report")
    return envelope.wrap("EACF::status_reply", *texts)


def alarm_value(worker: str, model: str, kind: str, text: str) -> Value:
    """``EACF::alarm(worker: string, model: string, kind: string, text: string)``."""
    said = {"worker": worker, "model": model, "kind": kind, "text": text}
    return envelope.wrap("EACF::alarm", *(envelope.string(each, f"EACF::alarm.{name}") for name, each in said.items()))


def _sample_value(sample: Sample, where: str) -> Value:
    return (
        envelope.string(sample.uid, f"{where}.uid"),
        Time(sample.start_ns),
        sample.orig_h,
        Port(sample.orig_p, "tcp"),
        sample.resp_h,
        Port(sample.resp_p, "tcp"),
        envelope.string(sample.server_name, f"{where}.server_name"),
        sample.payload,
        tuple([(Count(chunk.length), chunk.is_orig, Interval(chunk.gap_ns)) for chunk in sample.chunks]),
        tuple(sample.records),
    )


def _needs_value(needs: Needs) -> Value:
    return (Count(needs.payload_bytes), Count(needs.window_bytes), Count(needs.records), needs.chunks)


def _verdict_value(verdict: Verdict, where: str) -> Value:
    return (
        envelope.string(verdict.uid, f"{where}.uid"),
        envelope.string(verdict.label, f"{where}.label"),
        float(verdict.confidence),
        envelope.string(verdict.model, f"{where}.model"),
        envelope.string(verdict.reason, f"{where}.reason"),
        envelope.string(verdict.sni_label, f"{where}.sni_label"),
    )
