"""Packets in, samples out: the stand-in for the script on a real Zeek. No I/O; time comes with the packets."""

from __future__ import annotations

from eacf.collector.files import Batch
from eacf.collector.ip import Packets
from eacf.collector.limits import Counters, Limits
from eacf.collector.link import EN10MB
from eacf.collector.reassembly import ESTABLISHED
from eacf.collector.screen import COMMON_BYTES
from eacf.collector.selection import ALL, Selection
from eacf.collector.table import Collected, Table
from eacf.collector.tcp import ACK, CONTROL, SYN
from eacf.flow import Needs


class Collector:
    """See the module. One pass can serve two sets of needs, if one of them is records only.

    `flow_timeout_s`: a sample goes out so long after its first chunk at the latest, in packet time; 0: never. `selection`:
    which connections are collected at all.
    """

    def __init__(
        self,
        needs: Needs = Needs(),  # noqa: B008 - frozen
        *,
        also: Needs | None = None,
        flow_timeout_s: float = 0.0,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        selection: Selection = ALL,
    ) -> None:
        self.table = Table(needs, also, flow_timeout_s, limits, selection)
        self.packets = Packets(self.table)
        self.counters: Counters = self.table.counters

    def feed(self, time_s: float, data: bytes, *, link: int = EN10MB, wire_bytes: int | None = None) -> None:
        """One packet, captured at `time_s` (seconds since the epoch), `wire_bytes` long before it was cut."""
        self.counters.packets += 1
        self.counters.packet_bytes += len(data)
        self._look(max(self.table.network_time, time_s), time_s, link, data, wire_bytes or len(data))

    def feed_batch(self, batch: Batch) -> None:
        """Packets of one block of a file."""
        table = self.table
        buffer, link = batch.buffer, batch.link
        self.counters.packets += len(batch.times)
        self.counters.packet_bytes += int(batch.captured.sum())
        latest = float(batch.times.max())
        if link != EN10MB or len(buffer) < COMMON_BYTES:
            columns = (column.tolist() for column in batch[2:])
            for time, at, captured, wire in zip(*columns, strict=True):
                self._look(max(table.network_time, time), time, link, buffer[at : at + captured], wire)
            return
        ends = table.ends
        for now, time, at, captured, wire, common, seq, ack, flags, begin, stop, length in table.screen.rows(
            batch, table.network_time
        ):
            if not common:
                self._look(now, time, link, buffer[at : at + captured], wire)
                continue
            table.network_time = now
            if now >= table.next_timer:
                table.expire()
            key = buffer[at + 26 : at + 38]
            end = ends.get(key)
            table.now = time
            if end is None or flags & SYN:
                table.segment(key, flags, seq, ack, buffer[begin:stop], length)
            elif end.conn.idle and not flags & CONTROL:
                end.conn.last_time = time
            elif end.state == end.peer.state == ESTABLISHED and flags & (CONTROL | ACK) == ACK:
                end.conn.established(end, seq, ack, buffer[begin:stop], length)
            else:
                end.conn.process(end, flags, seq, ack, buffer[begin:stop], length)
        table.network_time = max(table.network_time, latest)
        if table.network_time >= table.next_timer:
            table.expire()

    def _look(self, now: float, time: float, link: int, data: bytes, wire: int) -> None:
        """A packet that is not of the common kind."""
        table = self.table
        table.network_time = now
        if now >= table.next_timer:
            table.expire()
        if data and wire:
            table.now = time
            self.packets.links.frame(link, data, wire)

    def finish(self) -> None:
        """The capture is over: what is open goes out."""
        self.table.finish()

    def take(self) -> list[Collected]:
        """Samples that became complete since the last call, in that order."""
        ready, self.table.ready = self.table.ready, []
        return ready
