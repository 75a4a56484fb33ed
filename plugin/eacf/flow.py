"""A flow: our bounded view of one TLS connection, as the contract between Zeek and the worker defines it.

Times are whole nanoseconds since the epoch, gaps whole nanoseconds, since that is what Broker puts on the wire.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address

Address = IPv4Address | IPv6Address

DEFAULT_RECORDS = 8
"""What a records-only sample is complete with where the model says 0 (contract v1)."""


def address_text(value: Address) -> str:
    """An address as Zeek's ``zeek_inet_ntop`` writes it: an IPv4 address within an IPv6 one is shown dotted."""
    if isinstance(value, IPv4Address):
        return str(value)
    if value.ipv4_mapped is not None:
        return str(value.ipv4_mapped)
    number = int(value)
    if 1 < number < 1 << 32:
        return f"::{IPv4Address(number)}"
    if number >> 32 == 0xFFFF0000:
        return f"::ffff:0:{IPv4Address(number & 0xFFFFFFFF)}"
    return str(value)


@dataclass(slots=True)
class Chunk:
    """One delivery of Zeek's TCP reassembler that added payload to the sample."""

    length: int
    """Payload bytes that the delivery added."""
    is_orig: bool
    gap_ns: int
    """Time since the chunk before it; 0 for the first."""


@dataclass(slots=True)
class Sample:
    """What the sensor tells of one connection (contract v1, record ``EACF::Sample``).

    Not frozen, because the worker makes tens of thousands a second and a frozen dataclass takes twice as long to
    make; treat it as frozen all the same.
    """

    uid: str
    start_ns: int
    orig_h: Address
    orig_p: int
    resp_h: Address
    resp_p: int
    server_name: str | None
    """SNI, or None where the ClientHello had none. Bytes that are not UTF-8 are kept as surrogate escapes."""
    payload: bytes
    """Fragments of application-data records in order of arrival, both directions; no header of any kind."""
    chunks: list[Chunk] = field(default_factory=list)
    records: list[int] = field(default_factory=list)
    """Length field of each application-data record; positive from the originator, negative from the responder."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What a model asks a sensor to collect (contract v1, record ``EACF::Needs``). The defaults are the contract's."""

    payload_bytes: int = 3000
    """Payload shipped at most; 0: none leaves the sensor."""
    window_bytes: int = 3000
    """The sample is complete when so many payload bytes were seen."""
    records: int = 0
    """Or at the end of the delivery in which the header of record number so many was seen; 0: no such end."""
    chunks: bool = True
    """False together with ``payload_bytes == 0``: records only."""

    @property
    def records_only(self) -> bool:
        """True where Zeek's own TLS analyzer suffices: no look at the stream, `window_bytes` means nothing."""
        return self.payload_bytes == 0 and not self.chunks


def joined(needs: Sequence[Needs]) -> Needs:
    """What serves all of them, at least one: the largest of each number, as the sensor joins what several workers ask for.

    Beside one that wants the stream, one on record lengths alone does not bring the end of the sample nearer.
    """
    stream = not all(each.records_only for each in needs)
    wanted = [each for each in needs if not (stream and each.records_only)]
    records = [each.records or (DEFAULT_RECORDS if each.records_only else 0) for each in wanted]
    return Needs(
        payload_bytes=max(each.payload_bytes for each in needs),
        window_bytes=max(each.window_bytes for each in needs),
        records=max(records) if all(records) else 0,
        chunks=any(each.chunks for each in needs),
    )
