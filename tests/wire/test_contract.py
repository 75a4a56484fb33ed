"""What the contract takes and refuses, by the general way; every message names the field."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import Any

import pytest

from eacf.errors import WireError
from eacf.flow import Chunk, Needs, Sample
from eacf.verdict import Verdict
from eacf.wire import contract, decode, encode
from eacf.wire.messages import (
    MAX_CHUNK,
    MAX_CHUNKS,
    MAX_PAYLOAD,
    MAX_RECEIVED,
    MAX_RECORD,
    MAX_RECORDS,
    MAX_REPORT,
    MAX_SAMPLES,
    MAX_SERVER_NAME,
    MAX_VERDICTS,
    MAX_WINDOW,
    Alarm,
    Flows,
    Hello,
    StatusReply,
    StatusRequest,
    TapReady,
    TapWho,
    Verdicts,
    Who,
)
from eacf.wire.values import Count, Interval, Port, Set, Time, Value

CHUNK: tuple[Value, ...] = (Count(3), True, Interval(0))
SAMPLE: tuple[Value, ...] = (
    b"CHhAvVGS1DHFjwGM9",
    Time(1_700_000_000_000_000_001),
    IPv4Address("192.0.2.1"),
    Port(50000, "tcp"),
    IPv6Address("2001:db8::1"),
    Port(443, "tcp"),
    b"www.example.com",
    b"\x00\xff\x17",
    (CHUNK,),
    (517, -1200),
)
VERDICT: tuple[Value, ...] = (b"C1", None, 0.25, b"0123456789ab", b"abstained", None)
NEEDS: tuple[Value, ...] = (Count(0), Count(3000), Count(8), False)
READY: tuple[Value, ...] = (b"0123456789ab", NEEDS, 0.25, Count(1000), Count(256))


def event(name: str, *arguments: Value) -> tuple[Any, ...]:
    return (Count(1), Count(1), (name.encode(), arguments))


def changed(record: tuple[Value, ...], index: int, value: Value) -> tuple[Value, ...]:
    return (*record[:index], value, *record[index + 1 :])


def refused(value: Value, kind: str, *parts: str) -> str:
    """The message of the error with which the contract refuses `value`."""
    with pytest.raises(WireError) as caught:
        contract.message_of(value)
    message = str(caught.value)
    assert caught.value.kind == kind, message
    for part in parts:
        assert part in message
    return message


def test_a_sample_field_by_field() -> None:
    message = contract.message_of(event("EACF::flow", b"eacf.verdict.zeek.", SAMPLE))
    sample = Sample(
        uid="CHhAvVGS1DHFjwGM9",
        start_ns=1_700_000_000_000_000_001,
        orig_h=IPv4Address("192.0.2.1"),
        orig_p=50000,
        resp_h=IPv6Address("2001:db8::1"),
        resp_p=443,
        server_name="www.example.com",
        payload=b"\x00\xff\x17",
        chunks=[Chunk(3, True, 0)],
        records=[517, -1200],
    )
    assert message == Flows("eacf.verdict.zeek.", [sample])
    assert contract.flow_value("eacf.verdict.zeek.", sample) == event("EACF::flow", b"eacf.verdict.zeek.", SAMPLE)


def test_every_other_message_both_ways() -> None:
    verdict = Verdict("C1", None, 0.25, "0123456789ab", "abstained", None)
    cases = [
        (event("EACF::flows", b"t", (SAMPLE, SAMPLE)), None),
        (event("EACF::flows", b"t", ()), Flows("t", [])),
        (event("EACF::who"), Who()),
        (event("EACF::hello", b"w", b"m", NEEDS), Hello("w", "m", Needs(0, 3000, 8, False))),
        (event("EACF::verdicts", b"w", (VERDICT,)), Verdicts("w", [verdict])),
        (event("EACF::tap_who", b"eacf.verdict.z."), TapWho("eacf.verdict.z.")),
        (event("EACF::tap_ready", *READY), TapReady("0123456789ab", Needs(0, 3000, 8, False), 0.25, 1000, 256)),
        (event("EACF::status_request", b"t"), StatusRequest("t")),
        (event("EACF::status_reply", b"w", b'{"a": "\xc3\xa4"}'), StatusReply("w", '{"a": "ä"}')),
        (event("EACF::alarm", b"w", b"m", b"inputs", b"12 %"), Alarm("w", "m", "inputs", "12 %")),
    ]
    for value, expected in cases:
        message = contract.message_of(value)
        assert expected is None or message == expected
        assert value_of(message) == value


def value_of(message: object) -> Value:
    match message:
        case Flows(reply_to, samples):
            return contract.flows_value(reply_to, samples)
        case Who():
            return contract.who_value()
        case Hello(worker, model, needs):
            return contract.hello_value(worker, model, needs)
        case Verdicts(worker, verdicts):
            return contract.verdicts_value(worker, verdicts)
        case TapWho(reply_to):
            return contract.tap_who_value(reply_to)
        case TapReady(tap, needs, share, received, window):
            return contract.tap_ready_value(tap, needs, share, received, window)
        case StatusRequest(reply_to):
            return contract.status_request_value(reply_to)
        case StatusReply(worker, report):
            return contract.status_reply_value(worker, report)
        case Alarm(worker, model, kind, text):
            return contract.alarm_value(worker, model, kind, text)
    raise AssertionError(message)


def test_surplus_fields_are_ignored() -> None:
    sample = (*changed(SAMPLE, 8, ((*CHUNK, b"new"),)), Set((b"new", None)))
    assert contract.message_of(event("EACF::flow", b"t", sample)) == contract.message_of(
        event("EACF::flow", b"t", SAMPLE)
    )
    verdicts = contract.message_of(event("EACF::verdicts", b"w", ((*VERDICT, 1),)))
    assert verdicts == contract.message_of(event("EACF::verdicts", b"w", (VERDICT,)))
    hello = contract.message_of(event("EACF::hello", b"w", b"m", (*NEEDS, Count(1))))
    assert hello == Hello("w", "m", Needs(0, 3000, 8, False))
    ready = contract.message_of(event("EACF::tap_ready", *changed(READY, 1, (*NEEDS, b"new"))))
    assert ready == contract.message_of(event("EACF::tap_ready", *READY))


def test_trailing_optional_fields_may_be_missing() -> None:
    message = contract.message_of(event("EACF::verdicts", b"w", (VERDICT[:4], VERDICT[:5])))
    assert isinstance(message, Verdicts)
    assert [(v.reason, v.sni_label) for v in message.verdicts] == [(None, None), ("abstained", None)]


def test_metadata_is_let_by() -> None:
    version, kind, (name, arguments) = event("EACF::who")
    stamp = ((Count(1), Time(1)), (Count(200), b"anything"))
    assert contract.message_of((version, kind, (name, arguments, stamp))) == Who()
    for wrong in (None, b"x", (b"x",), ((Count(1),),), ((1, Time(1)),), ((Count(1), Time(1), 1),)):
        refused((version, kind, (name, arguments, wrong)), "envelope", "metadata")


def test_non_utf8_server_names_are_kept_and_other_text_is_refused() -> None:
    message = contract.message_of(event("EACF::flow", b"t", changed(SAMPLE, 6, b"caf\xe9.example")))
    assert isinstance(message, Flows)
    assert message.samples[0].server_name == "caf\udce9.example"
    assert contract.flow_value("t", message.samples[0])[2][1][1][6] == b"caf\xe9.example"
    refused(event("EACF::flow", b"caf\xe9", SAMPLE), "text", "EACF::flow.reply_to", "byte 3")


@pytest.mark.parametrize(
    ("index", "value", "kind", "parts"),
    [
        (0, Count(1), "type", (".uid", "count, expected string")),
        (0, b"", "text", (".uid", "not empty")),
        (0, b"x" * 65, "limit", (".uid", "65 bytes, 64 are taken")),
        (0, b"a b", "text", (".uid", "printable ASCII")),
        (0, b"a\n", "text", (".uid",)),
        (0, b"\xc3\xa4", "text", (".uid",)),
        (1, Interval(1), "type", (".start", "interval, expected time")),
        (2, b"192.0.2.1", "type", (".orig_h", "string, expected addr")),
        (3, Count(443), "type", (".orig_p", "count, expected port")),
        (3, Port(443, "udp"), "value", (".orig_p", "443/udp, expected tcp")),
        (4, None, "type", (".resp_h", "unset, expected addr")),
        (5, Port(1, "unknown"), "value", (".resp_p", "1/unknown")),
        (6, 1.5, "type", (".server_name", "double, expected string")),
        (6, b"x" * (MAX_SERVER_NAME + 1), "limit", (".server_name",)),
        (7, None, "type", (".payload", "unset, expected string")),
        (7, bytes(MAX_PAYLOAD + 1), "limit", (".payload", "65537 bytes, 65536 are taken")),
        (8, None, "type", (".chunks", "unset, expected vector")),
        (8, Set((CHUNK,)), "type", (".chunks", "set, expected vector")),
        (8, (CHUNK,) * (MAX_CHUNKS + 1), "limit", (".chunks", "65537 elements")),
        (8, (CHUNK, CHUNK[:2]), "fields", (".chunks[1]", "2 fields, expected at least 3")),
        (8, (b"x",), "type", (".chunks[0]", "string, expected a record")),
        (8, (changed(CHUNK, 0, 3),), "type", (".chunks[0].len", "int, expected count")),
        (8, (changed(CHUNK, 0, Count(MAX_CHUNK + 1)),), "value", (".chunks[0].len", "2147483648 is more")),
        (8, (changed(CHUNK, 1, Count(1)),), "type", (".chunks[0].is_orig", "count, expected bool")),
        (8, (changed(CHUNK, 2, Time(0)),), "type", (".chunks[0].gap", "time, expected interval")),
        (9, (1, Count(1)), "type", (".records[1]", "count, expected int")),
        (9, (1, True), "type", (".records[1]", "bool, expected int")),
        (9, (MAX_RECORD + 1,), "value", (".records[0]", "65536 is not in -65535 to 65535")),
        (9, (-MAX_RECORD - 1,), "value", (".records[0]", "-65536")),
        (9, (1,) * (MAX_RECORDS + 1), "limit", (".records", "65537 elements")),
    ],
)
def test_a_wrong_field_of_a_sample(index: int, value: Value, kind: str, parts: tuple[str, ...]) -> None:
    sample = changed(SAMPLE, index, value)
    refused(event("EACF::flow", b"t", sample), kind, "EACF::flow.s.", *parts)
    refused(event("EACF::flows", b"t", (SAMPLE, sample)), kind, "EACF::flows.v[1].", *parts)


@pytest.mark.parametrize(
    ("value", "kind", "parts"),
    [
        (None, "envelope", ("body is unset",)),
        ((Count(1), Count(1)), "envelope", ("vector of 2",)),
        ((*event("EACF::who"), 1), "envelope", ("vector of 4",)),
        ((Count(2), Count(1), (b"EACF::who", ())), "envelope", ("version",)),
        ((Count(1), Count(5), (b"EACF::who", ())), "envelope", ("event",)),
        ((1, Count(1), (b"EACF::who", ())), "envelope", ("version",)),
        ((Count(1), Count(1), b"EACF::who"), "envelope", ("content is string",)),
        ((Count(1), Count(1), (b"EACF::who",)), "envelope", ("content is a vector of 1",)),
        ((Count(1), Count(1), (b"EACF::who", (), (), ())), "envelope", ("content is a vector of 4",)),
        ((Count(1), Count(1), (b"EACF::who", None)), "envelope", ("arguments are unset",)),
        ((Count(1), Count(1), (Count(1), ())), "type", ("event name", "count")),
        (event("x" * 256), "limit", ("event name",)),
        (event("Zoo::one"), "event", ("'Zoo::one'",)),
        (event("EACF::who", 1), "arguments", ("EACF::who: 1 arguments, expected 0",)),
        (event("EACF::flow", b"t", SAMPLE, 1), "arguments", ("EACF::flow: 3 arguments, expected 2",)),
        (event("EACF::flow", b"t"), "arguments", ("EACF::flow: 1 arguments, expected 2",)),
        (event("EACF::flow", b"t" * 256, SAMPLE), "limit", ("reply_to",)),
        (event("EACF::flow", b"t", SAMPLE[:9]), "fields", ("EACF::flow.s", "9 fields, expected at least 10")),
        (event("EACF::flow", b"t", (SAMPLE,)), "fields", ("EACF::flow.s",)),
        (event("EACF::flows", b"t", SAMPLE), "type", ("EACF::flows.v[0]",)),
        (event("EACF::flows", b"t", (SAMPLE,) * (MAX_SAMPLES + 1)), "limit", ("EACF::flows.v", "257 elements")),
        (event("EACF::verdicts", b"w", (VERDICT,) * (MAX_VERDICTS + 1)), "limit", ("EACF::verdicts.v",)),
        (event("EACF::verdicts", b"w", (VERDICT[:3],)), "fields", ("EACF::verdicts.v[0]",)),
        (event("EACF::verdicts", b"w", (changed(VERDICT, 2, 1.01),)), "value", ("v[0].confidence", "1.01")),
        (event("EACF::verdicts", b"w", (changed(VERDICT, 2, float("nan")),)), "value", ("v[0].confidence", "nan")),
        (event("EACF::verdicts", b"w", (changed(VERDICT, 2, 1),)), "type", ("v[0].confidence", "int, expected double")),
        (event("EACF::verdicts", b"w", (changed(VERDICT, 1, b"\xff"),)), "text", ("v[0].label", "UTF-8")),
        (event("EACF::verdicts", b"w", (changed(VERDICT, 5, b"x" * 256),)), "limit", ("v[0].sni_label",)),
        (event("EACF::verdicts", b"w", (changed(VERDICT, 3, None),)), "type", ("v[0].model",)),
        (event("EACF::verdicts", b"", ()), "text", ("EACF::verdicts.worker",)),
        (event("EACF::hello", b"w", b"m", NEEDS[:3]), "fields", ("EACF::hello.n",)),
        (event("EACF::hello", b"w", b"m", changed(NEEDS, 0, Count(65537))), "value", ("n.payload_bytes",)),
        (event("EACF::hello", b"w", b"m", changed(NEEDS, 1, Count(2**32))), "value", ("n.window_bytes",)),
        (event("EACF::hello", b"w", b"m", changed(NEEDS, 2, Count(65537))), "value", ("n.records",)),
        (event("EACF::hello", b"w", b"m", changed(NEEDS, 3, None)), "type", ("n.chunks",)),
        (event("EACF::alarm", b"w", b"m", b"inputs"), "arguments", ("EACF::alarm: 3 arguments, expected 4",)),
        (event("EACF::alarm", b"w", b"", b"inputs", b"t"), "text", ("alarm.model", "not empty")),
        (event("EACF::alarm", b"w", b"m", b"k" * 256, b"t"), "limit", ("alarm.kind",)),
        (event("EACF::alarm", b"w", b"m", b"k", b"t" * 256), "limit", ("alarm.text",)),
        (event("EACF::alarm", b"w", b"m", b"k", None), "type", ("alarm.text",)),
        (event("EACF::tap_who"), "arguments", ("EACF::tap_who: 0 arguments, expected 1",)),
        (event("EACF::tap_who", b"t" * 256), "limit", ("tap_who.reply_to",)),
        (event("EACF::tap_who", b"\xff"), "text", ("tap_who.reply_to", "UTF-8")),
        (event("EACF::tap_who", Count(1)), "type", ("tap_who.reply_to", "count, expected string")),
        (event("EACF::tap_ready", *READY, Count(1)), "arguments", ("EACF::tap_ready: 6 arguments, expected 5",)),
        (event("EACF::tap_ready", *READY[:4]), "arguments", ("EACF::tap_ready: 4 arguments, expected 5",)),
        (event("EACF::tap_ready", *changed(READY, 0, b"")), "text", ("tap_ready.tap", "not empty")),
        (event("EACF::tap_ready", *changed(READY, 0, b"x" * 65)), "limit", ("tap_ready.tap",)),
        (event("EACF::tap_ready", *changed(READY, 1, NEEDS[:3])), "fields", ("tap_ready.n", "3 fields")),
        (event("EACF::tap_ready", *changed(READY, 1, changed(NEEDS, 0, Count(65537)))), "value", ("n.payload_bytes",)),
        (event("EACF::tap_ready", *changed(READY, 1, changed(NEEDS, 2, 8))), "type", ("tap_ready.n.records", "int")),
        (event("EACF::tap_ready", *changed(READY, 2, 0.0)), "value", ("tap_ready.share", "0.0 is not above 0")),
        (event("EACF::tap_ready", *changed(READY, 2, -0.0)), "value", ("tap_ready.share",)),
        (event("EACF::tap_ready", *changed(READY, 2, 1.01)), "value", ("tap_ready.share", "1.01")),
        (event("EACF::tap_ready", *changed(READY, 2, float("nan"))), "value", ("tap_ready.share", "nan")),
        (event("EACF::tap_ready", *changed(READY, 2, Count(1))), "type", ("tap_ready.share", "expected double")),
        (event("EACF::tap_ready", *changed(READY, 3, 1)), "type", ("tap_ready.received", "int, expected count")),
        (event("EACF::tap_ready", *changed(READY, 3, Count(MAX_RECEIVED + 1))), "value", ("tap_ready.received",)),
        (event("EACF::tap_ready", *changed(READY, 4, Count(MAX_WINDOW + 1))), "value", ("tap_ready.window", "65537")),
        (event("EACF::tap_ready", *changed(READY, 4, None)), "type", ("tap_ready.window", "unset")),
        (event("EACF::status_reply", b"w", b"x" * (MAX_REPORT + 1)), "limit", ("report",)),
    ],
)
def test_a_wrong_message(value: Value, kind: str, parts: tuple[str, ...]) -> None:
    refused(value, kind, *parts)


def test_no_message_holds_payload() -> None:
    secret = b"SECRET-SECRET-SECRET"
    sample = changed(SAMPLE, 7, secret)
    wrong: tuple[Value, ...] = ((secret,), secret * 5000, None, Set((secret,)))
    errors = []
    for index in range(10):
        for value in wrong:
            try:
                contract.message_of(event("EACF::flow", b"t", changed(sample, index, value)))
            except WireError as error:
                errors.append(error)
    assert len(errors) == 39  # all but an unset server_name
    assert all("SECRET" not in str(error) and error.__cause__ is None for error in errors)
    body = encode(event("EACF::flow", b"t", sample))
    for cut in range(len(body)):
        with pytest.raises(WireError) as caught:
            decode(body[:cut])
        assert "SECRET" not in str(caught.value)
