"""`eacf.log`: the contract's Info, written as Zeek's own log writer would (TSV with header lines, or JSON lines).

Followed to the letter (Zeek 8.0.10): ``src/logging/writers/ascii/Ascii.cc`` for the header and the file,
``src/threading/formatters/Ascii.cc`` and ``src/Desc.cc`` for TSV, ``src/threading/formatters/JSON.cc`` for JSON,
``json_escape_utf8`` in ``src/util.cc`` for strings, with the defaults of ``writers/ascii.zeek`` (UTF-8 on, unset
fields left out of JSON, epoch timestamps). As there, a file that exists is written anew, and each line is handed to
the system at once and whole, so that `tail -f` follows it; nothing is held back and nothing is synced to disk.

One difference is known: of a time past January 2038 Zeek 8.0 prints ``2.385642157e+09`` in TSV; we print it in full,
as Zeek 9 does.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import BinaryIO, NamedTuple, Self

from eacf.flow import address_text
from eacf.verdict import Info

NANOSECONDS = 1_000_000_000
UNSET = "-"
EMPTY = "(empty)"
SEPARATOR = "\t"


class Field(NamedTuple):
    """A column of eacf.log."""

    name: str
    type: str
    """Zeek's name of its type, as in the ``#types`` line."""
    attribute: str
    """Of :class:`eacf.verdict.Info`."""


FIELDS = (
    Field("ts", "time", "ts_ns"),
    Field("uid", "string", "uid"),
    Field("id.orig_h", "addr", "orig_h"),
    Field("id.orig_p", "port", "orig_p"),
    Field("id.resp_h", "addr", "resp_h"),
    Field("id.resp_p", "port", "resp_p"),
    Field("server_name", "string", "server_name"),
    Field("label", "string", "label"),
    Field("confidence", "double", "confidence"),
    Field("reason", "string", "reason"),
    Field("model", "string", "model"),
    Field("worker", "string", "worker"),
    Field("sni_label", "string", "sni_label"),
    Field("latency", "interval", "latency_ns"),
    Field("payload_bytes", "count", "payload_bytes"),
    Field("chunks", "count", "chunks"),
    Field("records", "count", "records"),
)


class _Log:
    """What both forms share: a file of their own, or a stream that somebody else closes."""

    def __init__(self, out: Path | str | BinaryIO) -> None:
        """`out`: a path, written anew (OSError where it cannot be), or a binary stream."""
        self._out, self._owned = _opened(out)
        self._closed = False

    def write(self, info: Info) -> None:
        """Append one line and hand it to the system."""
        self._put(self._line(info))

    def _line(self, info: Info) -> str:
        raise NotImplementedError

    def _put(self, text: str) -> None:
        self._out.write(text.encode())
        self._out.flush()

    def close(self) -> None:
        """End the log; a second call does nothing."""
        if not self._closed:
            self._closed = True
            self._finish()
            if self._owned:
                self._out.close()

    def _finish(self) -> None:
        """Write what stands below the last line."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _opened(out: Path | str | BinaryIO) -> tuple[BinaryIO, bool]:
    """The stream to write to, and whether it is ours to close."""
    if isinstance(out, (str, Path)):
        return Path(out).open("wb"), True
    return out, False


class TsvLog(_Log):
    """Zeek's tab-separated form; `zeek-cut` reads it."""

    def __init__(self, out: Path | str | BinaryIO, *, clock: Callable[[], float] = time.time) -> None:
        """`clock`: seconds since the epoch, for the times of opening and closing."""
        super().__init__(out)
        self._clock = clock
        self._put(
            "#separator \\x09\n"
            f"#set_separator\t,\n#empty_field\t{EMPTY}\n#unset_field\t{UNSET}\n#path\teacf\n#open\t{self._now()}\n"
            + "\t".join(["#fields", *(each.name for each in FIELDS)])
            + "\n"
            + "\t".join(["#types", *(each.type for each in FIELDS)])
            + "\n"
        )

    def _now(self) -> str:
        """Local time, as in ``Ascii::Timestamp``."""
        return time.strftime("%Y-%m-%d-%H-%M-%S", time.localtime(self._clock()))

    def _line(self, info: Info) -> str:
        return tsv_line(info) + "\n"

    def _finish(self) -> None:
        self._put(f"#close\t{self._now()}\n")


class JsonLog(_Log):
    """Zeek's JSON form: one object a line, no header, unset fields left out."""

    def _line(self, info: Info) -> str:
        return json_line(info) + "\n"


def tsv_line(info: Info) -> str:
    """The line of a TSV log, without its end."""
    cells = []
    for _, kind, attribute in FIELDS:
        value = getattr(info, attribute)
        cells.append(UNSET if value is None else _TSV[kind](value))
    return SEPARATOR.join(cells)


def json_line(info: Info) -> str:
    """The line of a JSON log, without its end."""
    members = []
    for name, kind, attribute in FIELDS:
        value = getattr(info, attribute)
        if value is not None:
            members.append(f'"{name}":{_JSON[kind](value)}')
    return "{" + ",".join(members) + "}"


def tsv_string(value: str) -> str:
    r"""A string as Zeek's TSV has it: ``\xNN`` for control bytes, tabs and what is not UTF-8, ``\\`` for a backslash.

    A string that reads like an unset or an empty field has its first character escaped, so that it cannot be taken for
    one.
    Bytes that are not UTF-8 stand in `value` as surrogate escapes.
    """
    if not value:
        return EMPTY
    if value in (UNSET, EMPTY):
        return f"\\x{ord(value[0]):02x}{value[1:]}"
    # Zeek looks at the runs between backslashes and separators one by one, so one bad byte spoils its own run only.
    return "\\\\".join("\\x09".join(map(_printable, run.split(SEPARATOR))) for run in value.split("\\"))


def json_string(value: str) -> str:
    """A string as Zeek's JSON has it; what is not UTF-8 turns into the five characters of an escaped ``\\\\xNN``."""
    text = _printable(value, keep=_JSON_CONTROLS)
    return '"' + text.translate(_JSON_ESCAPES) + '"'


_JSON_CONTROLS = "\b\f\n\r\t"
_JSON_ESCAPES = str.maketrans(
    {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"},
)


def _printable(run: str, keep: str = "") -> str:
    """Zeek's ``json_escape_utf8``: the run as it is if all of it is fit to print, else all beyond ASCII escaped."""
    if run.isascii() and run.isprintable():
        return run
    if all(_fit(each) or each in keep for each in run):
        return run
    kept = {*range(0x20, 0x7F), *keep.encode()}
    return "".join(chr(byte) if byte in kept else f"\\x{byte:02x}" for byte in run.encode("utf-8", "surrogateescape"))


def _fit(character: str) -> bool:
    """Zeek's ``check_ok_utf8``: no control character, private use, special (U+FFF0 to U+FFFF) or stray byte."""
    code = ord(character)
    return 0x20 <= code < 0x7F or 0xA0 <= code < 0xD800 or 0xF900 <= code < 0xFFF0 or code > 0xFFFF


def _seconds(nanoseconds: int) -> str:
    """A time or an interval in TSV: six decimals, always."""
    return f"{nanoseconds / NANOSECONDS:.6f}"


def _tsv_double(value: float) -> str:
    """A double in TSV: six decimals at most, trailing zeros off, ``.0`` where the value is whole."""
    if not math.isfinite(value):
        return str(value)
    text = f"{value:.6f}".rstrip("0").rstrip(".")
    return text + ".0" if abs(value - round(value)) < 1e-9 else text


def _json_double(value: float) -> str:
    """A double in JSON, as rapidjson prints it: the shortest that reads back the same; null where it is not finite."""
    if not math.isfinite(value):
        return "null"
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    assert isinstance(exponent, int)
    text = "".join(map(str, digits))
    point = len(text) + exponent  # digits in front of the decimal point
    if value == 0:
        text = "0.0"
    elif exponent >= 0 and point <= 21:
        text = text + "0" * exponent + ".0"
    elif 0 < point <= 21:
        text = f"{text[:point]}.{text[point:]}"
    elif -6 < point <= 0:
        text = f"0.{'0' * -point}{text}"
    else:
        text = f"{text[0]}{'.' + text[1:] if len(text) > 1 else ''}e{point - 1}"
    return ("-" if sign else "") + text


_TSV: dict[str, Callable[..., str]] = {
    "time": _seconds,
    "interval": _seconds,
    "string": tsv_string,
    "addr": address_text,
    "port": str,
    "count": str,
    "double": _tsv_double,
}
_JSON: dict[str, Callable[..., str]] = {
    "time": lambda nanoseconds: _json_double(nanoseconds / NANOSECONDS),
    "interval": lambda nanoseconds: _json_double(nanoseconds / NANOSECONDS),
    "string": json_string,
    "addr": lambda value: f'"{address_text(value)}"',
    "port": str,
    "count": str,
    "double": _json_double,
}
