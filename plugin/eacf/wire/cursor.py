"""One place where bytes are taken off a body, each read checked against its end."""

from __future__ import annotations

from eacf.errors import WireError

MAX_VARBYTE = 2**32 - 1
"""Broker writes lengths as 32 bits (``broker/format/bin.hh``, ``write_varbyte_impl``)."""


class Cursor:
    """A position in a body that only moves forward; `values` is how many values may still be read."""

    __slots__ = ("data", "position", "values")

    def __init__(self, data: bytes, position: int, values: int) -> None:
        self.data = data
        self.position = position
        self.values = values

    @property
    def left(self) -> int:
        """Bytes not yet read."""
        return len(self.data) - self.position

    def take(self, size: int, what: str) -> bytes:
        """The next `size` bytes; WireError ``truncated`` where there are fewer."""
        start = self.position
        if size > len(self.data) - start:
            raise WireError("truncated", f"byte {start}: {what} needs {size} bytes, {self.left} are left")
        self.position = start + size
        return self.data[start : start + size]

    def byte(self, what: str) -> int:
        """The next byte."""
        if self.position >= len(self.data):
            raise WireError("truncated", f"byte {self.position}: {what} is missing")
        self.position += 1
        return self.data[self.position - 1]

    def varbyte(self, what: str) -> int:
        """A length: seven bits a byte, lowest first, bit 8 set on all but the last (``read_varbyte`` in bin.cc).

        Only the shortest form of a number is taken, since Broker writes no other and two forms of one message
        would make every comparison by bytes unsafe.
        """
        start, number = self.position, 0
        for shift in (0, 7, 14, 21, 28):
            low = self.byte(what)
            number |= (low & 0x7F) << shift
            if low < 0x80:
                if shift and not low:
                    raise WireError("value", f"byte {start}: {what} is not written in its shortest form")
                if number > MAX_VARBYTE:
                    break
                return number
        raise WireError("limit", f"byte {start}: {what} is more than {MAX_VARBYTE}")


def varbyte(number: int) -> bytes:
    """`number` (0 to `MAX_VARBYTE`) as a length on the wire."""
    if number < 0x80:
        return bytes((number,))
    if number > MAX_VARBYTE:
        raise WireError("limit", f"length {number} is more than {MAX_VARBYTE}")
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
