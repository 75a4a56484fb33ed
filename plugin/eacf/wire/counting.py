"""How many flows a body holds, without decoding it: for counts of what is dropped."""

from __future__ import annotations

from eacf.errors import WireError
from eacf.wire.cursor import Cursor
from eacf.wire.messages import MAX_SAMPLES

# [count 1, count 1, [name, ...: content of 2 or, with metadata, of 3; arguments of 2, the first a string.
_START = b"\x0e\x03\x02\0\0\0\0\0\0\0\x01\x02\0\0\0\0\0\0\0\x01\x0e"
_FLOW = b"\x05\x0aEACF::flow\x0e\x02\x05"
_FLOWS = b"\x05\x0bEACF::flows\x0e\x02\x05"


def count_flows(body: bytes) -> int:
    """Samples that a flow(s) body says it holds; 0 where it is no such body or cannot be read so far."""
    at = len(_START)
    if not body.startswith(_START) or body[at : at + 1] not in (b"\x02", b"\x03"):
        return 0
    if body.startswith(_FLOW, at + 1):
        return 1
    if not body.startswith(_FLOWS, at + 1):
        return 0
    cursor = Cursor(body, at + 1 + len(_FLOWS), 0)
    try:
        cursor.take(cursor.varbyte("length of reply_to"), "reply_to")
        if cursor.byte("tag of samples") != 14:
            return 0
        samples = cursor.varbyte("number of samples")
    except WireError:
        return 0
    return samples if samples <= MAX_SAMPLES else 0
