"""How values read in the report. Server names and labels come from the network: nothing of them reaches the page but what is shown."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from eacf_trainer.figures.parts import NONE

NOT_MEASURED = "–"
"""In place of a figure that there is none of."""
SPACE = "\u00a0"
"""That does not break: between a number and its unit, and between thousands."""
HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
"""Unicode's categories of what cannot be seen, or turns the text around it."""
TLS_VERSIONS = {
    0x0300: "SSL 3.0",
    0x0301: "TLS 1.0",
    0x0302: "TLS 1.1",
    0x0303: "TLS 1.2",
    0x0304: "TLS 1.3",
}
"""RFC 8446 (4.2.1) and those before it."""


def shown(text: str) -> str:
    r"""`text` with everything invisible written out: ``\x00`` for control bytes and bytes that are not UTF-8, ``\u202e`` for the
    rest, such as marks that turn the direction of writing."""
    if text.isprintable():
        return text
    return "".join(_visible(character) for character in text)


def _visible(character: str) -> str:
    if unicodedata.category(character) not in HIDDEN:
        return character
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is not UTF-8, as a surrogate escape
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def shortened(text: str, length: int) -> str:
    """At most `length` characters of what is shown, the middle left out: both ends of a name tell."""
    text = shown(text)
    if len(text) <= length:
        return text
    head = (length - 1) // 2
    return f"{text[:head]}…{text[head + 1 - length :]}"


def percent(value: float | None, digits: int = 1) -> str:
    """A share, as "68.3 %"."""
    return NOT_MEASURED if value is None else f"{100 * value:.{digits}f}{SPACE}%"


def points(value: float | None, digits: int = 1) -> str:
    """A share in points, as F1 is told: "61.6"."""
    return NOT_MEASURED if value is None else f"{100 * value:.{digits}f}"


def count(value: float | None) -> str:
    """A whole number, thousands apart."""
    return NOT_MEASURED if value is None else f"{value:,.0f}".replace(",", SPACE)


def number(value: float | None, digits: int = 1) -> str:
    """A number of no unit of ours."""
    return NOT_MEASURED if value is None else f"{value:,.{digits}f}".replace(",", SPACE)


def plural(value: int, one: str, many: str = "") -> str:
    """ "1 flow", "2 flows"."""
    return f"{count(value)}{SPACE}{one if value == 1 else many or one + 's'}"


def day(time_ns: int | None) -> str:
    """The day (UTC)."""
    return NOT_MEASURED if time_ns is None else _time(time_ns).strftime("%Y-%m-%d")


def minute(time_ns: int | None) -> str:
    """Day and minute (UTC)."""
    return NOT_MEASURED if time_ns is None else _time(time_ns).strftime("%Y-%m-%d %H:%M")


def _time(time_ns: int) -> datetime:
    return datetime.fromtimestamp(time_ns // 1_000_000_000, UTC)


def flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Nested values as ("training.epochs", "100"), one by one; empty ones are left out."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key}.")
        elif value not in ("", None, [], ()):
            yield f"{prefix}{key}", plain(value)


def tls_version(code: int | str | None) -> str:
    """The name of a version by its code, 771 or "0x303"; codes without a name as hexadecimal, null as "not told"."""
    if code in (None, NONE, "unknown"):
        return "not told"
    try:
        value = code if isinstance(code, int) else int(code, 0)
    except ValueError:
        return str(code)
    return TLS_VERSIONS.get(value, f"0x{value:04x}")


def listed(words: list[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""


def plain(value: Any) -> str:
    """A value of a recipe on one line."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(plain(each) for each in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
