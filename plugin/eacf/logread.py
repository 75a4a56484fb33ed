"""Reads eacf.log back, JSON lines as Zeek's writer makes them (:mod:`eacf.logs` is the other way).

JSON and not TSV, since it has every digit of a number. It has one ambiguity: a byte that is not fit to print and the four
characters ``\\xNN`` read the same; the byte is taken to be meant.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from ipaddress import ip_address
from typing import Any, get_args

from eacf.errors import CaptureError
from eacf.logs import FIELDS
from eacf.verdict import Info, Reason

_ESCAPED = re.compile(rb"\\x(0[0-9a-f]|1[0-9a-f]|7f|[89a-f][0-9a-f])")
_REASONS = get_args(Reason)


def read(lines: Iterable[bytes], source: str) -> Iterator[Info]:
    """The lines of a log. CaptureError, which names `source` and the line, where one is none of eacf.log."""
    for number, line in enumerate(lines, 1):
        try:
            yield info_of(line)
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
            why = f"lacks {error}" if isinstance(error, KeyError) else str(error)[:200]
            raise CaptureError(f"{source}: line {number} is not one of eacf.log ({why})") from error


def info_of(line: bytes) -> Info:
    """One line. Raises what Python raises on a wrong value."""
    members = json.loads(line)
    if not isinstance(members, dict):
        raise TypeError("not an object")
    values: dict[str, Any] = {}
    for name, kind, attribute in FIELDS:
        if name in members or attribute not in _OPTIONAL:
            values[attribute] = _READ[kind](members[name])
        else:
            values[attribute] = None
    if values["reason"] is not None and values["reason"] not in _REASONS:
        raise ValueError(f"reason {values['reason']!r}, one of {', '.join(_REASONS)} is known")
    return Info(**values)


_OPTIONAL = {
    "server_name",
    "label",
    "confidence",
    "reason",
    "model",
    "worker",
    "sni_label",
    "latency_ns",
}


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no string")
    # As bytes, so that those of one character come together again.
    data = _ESCAPED.sub(lambda escaped: bytes((int(escaped[1], 16),)), value.encode("utf-8", "surrogateescape"))
    return data.decode("utf-8", "surrogateescape")


def _time_ns(value: object) -> int:
    """Rounded down, as Broker puts Zeek's double on the wire, so that the start of a connection is the same there."""
    return int(_double(value) * 1e9)


def _interval_ns(value: object) -> int:
    return round(_double(value) * 1e9)


def _double(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{value!r} is no number")
    return float(value)


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise TypeError(f"{value!r} is no count")
    return value


_READ: dict[str, Callable[..., object]] = {
    "time": _time_ns,
    "interval": _interval_ns,
    "string": _string,
    "addr": ip_address,
    "port": _count,
    "count": _count,
    "double": _double,
}
