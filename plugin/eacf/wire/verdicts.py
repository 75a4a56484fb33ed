"""Verdict bodies the fast way: few different texts, said again and again.

Whatever differs from the usual shape makes the functions return None, and the general way has the last word.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from struct import Struct, error

from eacf.verdict import Verdict
from eacf.wire import envelope
from eacf.wire.cursor import varbyte
from eacf.wire.messages import MAX_ID, MAX_TEXT, MAX_VERDICTS
from eacf.wire.runs import Unusual

_START = envelope.prefix("EACF::verdicts", 2)
_CONFIDENCE = Struct(">Bd")
# Record of 6, a string of that length: by length of the uid.
_UID = tuple(bytes((0x0E, 0x06, 0x05, length)) for length in range(MAX_ID + 1))


def write_verdicts(worker: str, verdicts: Sequence[Verdict]) -> bytes | None:
    """The body of EACF::verdicts; None where the general way must say why not."""
    if len(verdicts) > MAX_VERDICTS:
        return None
    pack = _CONFIDENCE.pack
    try:
        parts = [_START, _identity(worker), b"\x0e", varbyte(len(verdicts))]
        for verdict in verdicts:
            uid = verdict.uid.encode("ascii")
            confidence = verdict.confidence
            if not (uid.isalnum() and 0.0 <= confidence <= 1.0):
                return None
            parts += (
                _UID[len(uid)],
                uid,
                _text(verdict.label),
                pack(4, confidence),
                _identity(verdict.model),
                _text(verdict.reason),
                _text(verdict.sni_label),
            )
    except (Unusual, IndexError, UnicodeError, error):
        return None
    return b"".join(parts)


@lru_cache(maxsize=1024)
def _text(text: str | None) -> bytes:
    """A string with its tag, or the tag of an unset field."""
    if text is None:
        return b"\x00"
    data = text.encode()
    if len(data) > MAX_TEXT:
        raise Unusual
    return b"\x05" + varbyte(len(data)) + data


@lru_cache(maxsize=64)
def _identity(text: str) -> bytes:
    """An id of a worker or bundle with its tag."""
    data = text.encode("ascii")
    if not data.isalnum() or len(data) > MAX_ID:
        raise Unusual
    return bytes((5, len(data))) + data
