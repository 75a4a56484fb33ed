"""Packets in, samples out: the stand-in for the script on a real Zeek. No I/O; time comes with the packets."""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct

from eacf.collector.connection import ACK, CONTROL, SYN
from eacf.collector.ip import Packets
from eacf.collector.limits import Counters, Limits
from eacf.collector.link import EN10MB
from eacf.collector.reassembly import ESTABLISHED
from eacf.collector.table import Collected, Table
from eacf.flow import Needs

# Ethernet, IPv4 without options, TCP: EtherType, version and header length, total length, fragment field, protocol,
# addresses and ports, sequence numbers, data offset, flags.
_COMMON = Struct(">12xHBxH2xHxB2x12sIIBB")
_COMMON_BYTES = 54


class Collector:
    """See the module. One pass can serve two sets of needs, if one of them is records only.

    `flow_timeout_s`: a sample goes out so long after its first chunk at the latest, in packet time; 0: never.
    """

    def __init__(
        self,
        needs: Needs = Needs(),  # noqa: B008 - frozen
        *,
        also: Needs | None = None,
        flow_timeout_s: float = 0.0,
        limits: Limits = Limits(),  # noqa: B008 - frozen
    ) -> None:
        self.table = Table(needs, also, flow_timeout_s, limits)
        self.packets = Packets(self.table)
        self.counters: Counters = self.table.counters

    def feed(self, time_s: float, data: bytes, *, link: int = EN10MB, wire_bytes: int | None = None) -> None:
        """One packet, captured at `time_s` (seconds since the epoch), `wire_bytes` long before it was cut."""
        length = len(data)
        self.feed_batch(link, data, [(time_s, 0, length, length if wire_bytes is None else wire_bytes)])

    def feed_batch(self, link: int, buffer: bytes, rows: Sequence[tuple[float, int, int, int]]) -> None:
        """Packets that lie in `buffer`: rows of (time, where, bytes captured, bytes on the wire)."""
        table = self.table
        ends = table.ends
        unpack = _COMMON.unpack_from
        counters = self.counters
        counters.packets += len(rows)
        for time, at, captured, wire in rows:
            if time > table.network_time:
                table.network_time = time
            if table.network_time >= table.next_timer:
                table.expire()
            if link == EN10MB and captured >= _COMMON_BYTES:
                kind, version, total, fragment, protocol, key, seq, ack, offset, flags = unpack(buffer, at)
                if kind == 0x0800 and version == 0x45 and protocol == 6 and not fragment & 0x3FFF:
                    end = ends.get(key)
                    if end is not None and not flags & CONTROL and end.conn.idle:
                        end.conn.last_time = time
                        continue
                    header = (offset >> 4) * 4
                    begin = at + 34 + header
                    stop = at + 14 + total
                    if 20 <= header <= total - 20 and begin <= at + captured and total + 14 <= wire:
                        table.now = time
                        length = stop - begin
                        data = buffer[begin : min(stop, at + captured)]
                        if end is None or flags & SYN:
                            table.segment(key, flags, seq, ack, data, length)
                        elif end.state == end.peer.state == ESTABLISHED and flags & (CONTROL | ACK) == ACK:
                            end.conn.established(end, seq, ack, data, length)
                        else:
                            end.conn.process(end, flags, seq, ack, data, length)
                        continue
            if captured and wire:
                table.now = time
                self.packets.links.frame(link, buffer[at : at + captured], wire)

    def finish(self) -> None:
        """The capture is over: what is open goes out."""
        self.table.finish()

    def take(self) -> list[Collected]:
        """Samples that became complete since the last call, in that order."""
        ready, self.table.ready = self.table.ready, []
        return ready
