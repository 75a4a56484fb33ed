"""The events about acts: what a Zeek process asks of the gateway's agents, and their answers.

They stand beside contract v1, as taps do; otherwise as `contract`, which reads these events as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from eacf.errors import WireError
from eacf.wire import envelope, fields
from eacf.wire.messages import MAX_ACT_REASON, MAX_ACTS, MAX_RATE, Act, Acted, ActedReply, Acts, Message, Unacts
from eacf.wire.values import Count, Interval, Port, Value

NS = 1_000_000_000
_ID = re.compile(rb"[0-9a-z.]{1,32}")
_WIDEST = 128


def _read_acts(arguments: tuple[Value, ...]) -> Acts:
    reply_to = fields.text(arguments[0], "EACF::acts.reply_to")
    acts = fields.vector(arguments[1], "EACF::acts.v", MAX_ACTS)
    return Acts(reply_to, [_read_act(act, f"EACF::acts.v[{i}]") for i, act in enumerate(acts)])


def _read_act(value: Value, where: str) -> Act:
    field = fields.record(value, where, 12)
    orig_p, resp_p = fields.port(field[3], f"{where}.orig_p"), fields.port(field[5], f"{where}.resp_p")
    if orig_p.protocol != resp_p.protocol:
        raise WireError("value", f"{where}.resp_p: a {resp_p.protocol} port beside a {orig_p.protocol} one")
    return Act(
        id=_act_id(field[0], f"{where}.id"),
        kind=fields.text(field[1], f"{where}.kind"),
        orig_h=fields.address(field[2], f"{where}.orig_h"),
        orig_p=orig_p.number,
        resp_h=fields.address(field[4], f"{where}.resp_h"),
        resp_p=resp_p.number,
        protocol=orig_p.protocol,
        width=fields.count(field[6], f"{where}.width", _WIDEST),
        key=fields.text(field[7], f"{where}.key"),
        priority=fields.optional_text(field[8], f"{where}.priority"),
        dscp=_optional_count(field[9], f"{where}.dscp", 63),
        rate=_optional_count(field[10], f"{where}.rate", MAX_RATE),
        lasts_s=_lasts(field[11], f"{where}.lasts"),
    )


def _read_unacts(arguments: tuple[Value, ...]) -> Unacts:
    reply_to = fields.text(arguments[0], "EACF::unacts.reply_to")
    ids = fields.vector(arguments[1], "EACF::unacts.v", MAX_ACTS)
    return Unacts(reply_to, [_act_id(each, f"EACF::unacts.v[{i}]") for i, each in enumerate(ids)])


def _read_acted(arguments: tuple[Value, ...]) -> ActedReply:
    agent = fields.identity(arguments[0], "EACF::acted.agent")
    answers = fields.vector(arguments[1], "EACF::acted.v", MAX_ACTS)
    return ActedReply(agent, [_read_answer(answer, f"EACF::acted.v[{i}]") for i, answer in enumerate(answers)])


def _read_answer(value: Value, where: str) -> Acted:
    field = (*fields.record(value, where, 2), None)
    return Acted(
        _act_id(field[0], f"{where}.id"),
        fields.text(field[1], f"{where}.outcome"),
        None if field[2] is None else fields.text(field[2], f"{where}.why", MAX_ACT_REASON),
    )


def _act_id(value: Value, where: str) -> str:
    found = fields.data(value, where, 32)
    if not _ID.fullmatch(found):
        raise WireError("text", f"{where}: an act's id must be 1 to 32 of 0-9, a-z and dot")
    return found.decode("ascii")


def _optional_count(value: Value, where: str, most: int) -> int | None:
    return None if value is None else fields.count(value, where, most)


def _lasts(value: Value, where: str) -> float:
    """Seconds. Zeek's intervals are doubles of seconds as well."""
    ns = fields.interval_ns(value, where)
    if ns <= 0:
        raise WireError("value", f"{where}: {ns / NS:g} s is not above 0")
    return ns / NS


# Event: number of arguments, reader.
EVENTS: dict[str, tuple[int, Callable[[tuple[Value, ...]], Message]]] = {
    "EACF::acts": (2, _read_acts),
    "EACF::unacts": (2, _read_unacts),
    "EACF::acted": (2, _read_acted),
}


def acts_value(reply_to: str, acts: Sequence[Act]) -> Value:
    """``EACF::acts(reply_to: string, v: vector of Act)``."""
    values = tuple([_act_value(act, f"EACF::acts.v[{i}]") for i, act in enumerate(acts)])
    return envelope.wrap("EACF::acts", envelope.string(reply_to, "EACF::acts.reply_to"), values)


def unacts_value(reply_to: str, ids: Sequence[str]) -> Value:
    """``EACF::unacts(reply_to: string, v: vector of string)``."""
    values = tuple([envelope.string(each, f"EACF::unacts.v[{i}]") for i, each in enumerate(ids)])
    return envelope.wrap("EACF::unacts", envelope.string(reply_to, "EACF::unacts.reply_to"), values)


def acted_value(agent: str, answers: Sequence[Acted]) -> Value:
    """``EACF::acted(agent: string, v: vector of Acted)``."""
    values = tuple(
        [
            tuple(
                envelope.string(getattr(answer, key), f"EACF::acted.v[{i}].{key}") for key in ("id", "outcome", "why")
            )
            for i, answer in enumerate(answers)
        ]
    )
    return envelope.wrap("EACF::acted", envelope.string(agent, "EACF::acted.agent"), values)


def _act_value(act: Act, where: str) -> Value:
    return (
        envelope.string(act.id, f"{where}.id"),
        envelope.string(act.kind, f"{where}.kind"),
        act.orig_h,
        Port(act.orig_p, act.protocol),
        act.resp_h,
        Port(act.resp_p, act.protocol),
        Count(act.width),
        envelope.string(act.key, f"{where}.key"),
        envelope.string(act.priority, f"{where}.priority"),
        None if act.dscp is None else Count(act.dscp),
        None if act.rate is None else Count(act.rate),
        Interval(round(act.lasts_s * NS)),
    )
