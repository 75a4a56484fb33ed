"""The vector around every event: ``[count 1, count 1, [event name, [arguments...], metadata?]]``.

Source: ``broker/zeek.hh``, classes Message and Event (version 1, type 1 = event).
"""

from __future__ import annotations

from eacf.errors import WireError
from eacf.wire import fields
from eacf.wire.values import Count, Value, zeek_type

VERSION = Count(1)
EVENT = Count(1)
MAX_EVENT_NAME = 255


def wrap(name: str, *arguments: Value) -> Value:
    """An event as Zeek publishes it, without metadata."""
    return (VERSION, EVENT, (name.encode(), arguments))


def unwrap(value: Value) -> tuple[str, tuple[Value, ...]]:
    """Name and arguments of an event; its metadata, where there is some, is checked and left out."""
    if type(value) is not tuple or len(value) != 3:
        raise WireError("envelope", f"body is {_size(value)}, expected a vector of 3 (version, type, content)")
    version, kind, content = value
    if version != VERSION or kind != EVENT:
        raise WireError("envelope", "body does not start with count 1 (version), count 1 (event)")
    if type(content) is not tuple or len(content) not in (2, 3):
        raise WireError("envelope", f"content is {_size(content)}, expected a vector of name, arguments and metadata")
    name = fields.text(content[0], "event name", MAX_EVENT_NAME)
    arguments = content[1]
    if type(arguments) is not tuple:
        raise WireError("envelope", f"arguments are {_size(arguments)}, expected a vector")
    if len(content) == 3:
        check_metadata(content[2])
    return name, arguments


def check_metadata(value: Value) -> None:
    """Raises WireError unless `value` is event metadata: a vector of pairs, the first of each a count."""
    if type(value) is not tuple:
        raise WireError("envelope", f"metadata is {_size(value)}, expected a vector")
    for index, pair in enumerate(value):
        if type(pair) is not tuple or len(pair) != 2 or type(pair[0]) is not Count:
            raise WireError("envelope", f"metadata[{index}] is {_size(pair)}, expected a count and a value")


def _size(value: Value) -> str:
    return f"a vector of {len(value)}" if type(value) is tuple else zeek_type(value)


def prefix(name: str, arguments: int, *, metadata: bool = False) -> bytes:
    """The bytes with which the body of such an event starts, up to the tag of its first argument."""
    content = b"\x0e\x03" if metadata else b"\x0e\x02"
    start = b"\x0e\x03" + (b"\x02" + (1).to_bytes(8, "big")) * 2
    return start + content + bytes((5, len(name))) + name.encode() + bytes((14, arguments))


def string(text: str | None, where: str) -> bytes | None:
    """A string as bytes; whether its field may hold surrogate escapes, the reader of the field says."""
    try:
        return None if text is None else text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        # `from None`: the error of the encoder holds the text.
        raise WireError("text", f"{where}: character {error.start} cannot be said in UTF-8") from None
