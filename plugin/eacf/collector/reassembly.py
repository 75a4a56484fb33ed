"""One side of a TCP connection: sequence numbers and in-order delivery, as Zeek does both.

Zeek: src/analyzer/protocol/tcp/TCP_Endpoint.cc, TCP_Reassembler.cc and src/Reassem.cc (8.0.10). Relative sequence
numbers begin with 0 for the SYN, so that the first byte of data is number 1; sides whose SYN was not seen are
treated as if there had been one. First data wins. What was delivered is not kept: a retransmission is cut at what was
delivered, which comes to the same.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eacf.collector.connection import Connection

# Endpoint states (Zeek: TCP_Endpoint.h).
INACTIVE, SYN_SENT, SYN_ACK_SENT, PARTIAL, ESTABLISHED, CLOSED, RESET = range(7)

MAX_INITIAL_WINDOW = 16384
"""Zeek: tcp_max_initial_window; data that nobody acknowledged is not kept beyond it."""
MAX_ABOVE_HOLE = 16384
"""Zeek: tcp_max_above_hole_without_any_acks; more above a hole, and that side is delivered no further."""
BLOCK_OVERHEAD = 256
"""Bytes that a piece of data costs beside itself, for the account of memory."""


NO_STARTS: list[int] = []
NO_BLOCKS: list[bytes] = []
"""Shared by all sides that have no block, which is nearly all; never added to."""


def seq_delta(a: int, b: int) -> int:
    """``a - b`` in the 32-bit sequence space, negative if `a` is before `b`."""
    delta = (a - b) & 0xFFFFFFFF
    return delta - 0x100000000 if delta & 0x80000000 else delta


class Endpoint:
    """State of one side. `peer` is the other; `is_orig` changes if the connection turns out to be reversed."""

    __slots__ = (
        "ack_seq",
        "ack_wraps",
        "block_bytes",
        "blocks",
        "conn",
        "delivered",
        "did_close",
        "did_eof",
        "fin_count",
        "fin_seq",
        "had_gap",
        "is_orig",
        "last_seq",
        "peer",
        "prev_state",
        "seq_wraps",
        "skip",
        "start_seq",
        "starts",
        "state",
        "trimmed",
        "unacked",
    )

    peer: Endpoint

    def __init__(self, conn: Connection, is_orig: bool) -> None:
        self.conn = conn
        self.is_orig = is_orig
        self.state = self.prev_state = INACTIVE
        self.start_seq = self.last_seq = self.ack_seq = 0
        self.seq_wraps = self.ack_wraps = 0
        self.fin_count = self.fin_seq = 0
        self.did_close = self.did_eof = False
        self.delivered = 1  # relative number of the next byte to deliver (Zeek: last_reassem_seq)
        self.trimmed = 1  # acknowledged up to here (Zeek: trim_seq)
        self.unacked = 0  # end of the last delivered block, acknowledged or not
        self.starts: list[int] = NO_STARTS  # of the blocks that wait for a hole to be filled, ascending
        self.blocks: list[bytes] = NO_BLOCKS
        self.block_bytes = 0
        self.skip = False  # deliver nothing more (Zeek: skip_deliveries)
        self.had_gap = False

    # Sequence space

    def begin(self, seq: int, last: int) -> None:
        """Set the numbers as a SYN with `seq` does."""
        self.start_seq = self.ack_seq = seq
        self.last_seq = last

    def advance_last(self, seq: int) -> None:
        if seq < self.last_seq:
            self.seq_wraps += 1
        self.last_seq = seq

    def advance_ack(self, seq: int) -> None:
        if seq < self.ack_seq:
            self.ack_wraps += 1
        self.ack_seq = seq

    def relative(self, seq: int, last: int, wraps: int) -> int:
        """Relative number of `seq`, `last` being the latest; negative: before the start (Zeek: get_relative_seq)."""
        delta = (seq - last) & 0xFFFFFFFF
        if delta & 0x80000000:
            if wraps and seq > last:
                wraps -= 1
        elif delta and seq < last:
            wraps += 1
        if not wraps:
            delta = (seq - self.start_seq) & 0xFFFFFFFF
            return delta - 0x100000000 if delta & 0x80000000 else delta
        return (wraps << 32) + seq - self.start_seq

    def no_data_acked(self) -> bool:
        ack = (self.ack_wraps << 32) + self.ack_seq
        return ack == self.start_seq or ack == self.start_seq + 1

    def size(self) -> int:
        """Bytes that this side sent, as its sequence numbers say (Zeek: TCP_Endpoint::Size)."""
        if (
            self.prev_state == SYN_SENT
            and self.state == RESET
            and self.peer.state == INACTIVE
            and not self.no_data_acked()
        ):
            return 0
        last = (self.seq_wraps << 32) + self.last_seq
        ack = (self.ack_wraps << 32) + self.ack_seq
        size = max(last, ack) - self.start_seq
        if size:
            size -= 1  # the SYN
        if self.fin_count and size:
            size -= 1
        return size & 0xFFFFFFFFFFFFFFFF

    # Delivery

    def data_sent(self, seq: int, data: bytes) -> None:
        """Data with relative number `seq` came from this side (Zeek: TCP_Reassembler::DataSent)."""
        if self.skip:
            return
        end = seq + len(data)
        ack = (self.ack_wraps << 32) + self.ack_seq - self.start_seq
        floor = ack if ack > self.delivered else self.delivered
        if seq < floor:
            if end <= floor:
                return
            data = data[floor - seq :]
            seq = floor
        if seq == self.delivered and not self.starts:
            self.delivered = self.unacked = end
            self.conn.deliver(self, data)
        else:
            self._insert(seq, data)
            self._deliver_waiting()
        if self.starts:
            self._check_buffer()

    def _insert(self, seq: int, data: bytes) -> None:
        """Keep those parts of `data` that no block holds yet."""
        if not self.starts:
            self.starts, self.blocks = [], []
        starts, blocks = self.starts, self.blocks
        end = seq + len(data)
        at = bisect_left(starts, seq)
        if at and starts[at - 1] + len(blocks[at - 1]) > seq:
            upper = starts[at - 1] + len(blocks[at - 1])
            if upper >= end:
                return
            data = data[upper - seq :]
            seq = upper
        while seq < end:
            stop = min(end, starts[at]) if at < len(starts) else end
            if stop > seq:
                piece = data[: stop - seq]
                starts.insert(at, seq)
                blocks.insert(at, piece)
                self._account(len(piece))
                at += 1
            if at >= len(starts) or stop == end:
                return
            upper = starts[at] + len(blocks[at])
            data = data[upper - seq :]
            seq = upper
            at += 1

    def _account(self, size: int) -> None:
        self.block_bytes += size
        self.conn.table.buffered(size + BLOCK_OVERHEAD)

    def _deliver_waiting(self) -> None:
        """Deliver blocks as far as they follow what was delivered (Zeek: TCP_Reassembler::BlockInserted)."""
        starts, blocks = self.starts, self.blocks
        ready = 0
        edge = self.delivered
        while ready < len(starts) and starts[ready] == edge:
            edge += len(blocks[ready])
            ready += 1
        if not ready:
            return
        taken = blocks[:ready]
        del starts[:ready], blocks[:ready]
        for block in taken:
            self.block_bytes -= len(block)
            self.conn.table.buffered(-len(block) - BLOCK_OVERHEAD)
        for block in taken:
            self.delivered += len(block)
            self.unacked = self.delivered
            self.conn.deliver(self, block)

    def _check_buffer(self) -> None:
        table = self.conn.table
        limits = table.limits
        above_hole = self.starts[-1] + len(self.blocks[-1]) - self.delivered
        if above_hole > MAX_ABOVE_HOLE and self.no_data_acked():
            self.drop_blocks()
            self.skip = True
        elif (
            self.block_bytes > limits.endpoint_buffer_bytes
            or len(self.blocks) > limits.endpoint_buffer_blocks
            or table.buffer_bytes > limits.buffer_bytes
        ):
            self.drop_blocks()
            self.skip = True
            table.counters.dropped_endpoint_buffers += 1

    def drop_blocks(self) -> None:
        """Forget what waits."""
        if self.starts:
            self.conn.table.buffered(-self.block_bytes - BLOCK_OVERHEAD * len(self.blocks))
            self.starts, self.blocks, self.block_bytes = NO_STARTS, NO_BLOCKS, 0

    def ack_received(self, seq: int) -> None:
        """The peer acknowledged up to relative number `seq` (Zeek: AckReceived, DataBlockList::Trim)."""
        if self.fin_count and seq >= self.fin_seq:
            seq = self.fin_seq - 1
        if seq <= self.trimmed:
            return
        if seq > self.delivered:
            self._undelivered(seq)
            starts, blocks = self.starts, self.blocks
            while starts and starts[0] + len(blocks[0]) <= seq:
                self.block_bytes -= len(blocks[0])
                self.conn.table.buffered(-len(blocks[0]) - BLOCK_OVERHEAD)
                del starts[0], blocks[0]
            if starts:
                self._deliver_waiting()
        self.trimmed = seq
        if self.fin_count or self.state >= CLOSED:
            self.check_eof()

    def _undelivered(self, up_to: int) -> None:
        """Data before `up_to` was acknowledged and never seen (Zeek: TCP_Reassembler::Undelivered)."""
        if up_to <= 2 and self.conn.is_partial:
            return  # the numbers of a partial connection are a guess, and this is a keep-alive
        if not self.skip:
            while self.starts and self.starts[0] < up_to:
                self._gap(self.starts[0])
                self._deliver_waiting()
            if up_to > self.delivered:
                self._gap(up_to)
        self.delivered = max(self.delivered, up_to)

    def _gap(self, up_to: int) -> None:
        length = up_to - self.delivered
        self.delivered = up_to
        if length > 0:
            self.had_gap = True
            self.conn.undelivered(self, length)

    def data_pending(self) -> bool:
        """Whether this side may not be closed yet (Zeek: TCP_Reassembler::DataPending)."""
        if self.skip:
            return False
        delivered = self.start_seq + self.delivered
        last = (self.seq_wraps << 32) + self.last_seq
        if last < delivered:
            return False
        if delivered not in (last - 1, last):
            return True
        return self.state != RESET and self.peer.holds_data()

    def holds_data(self) -> bool:
        """Whether blocks wait, delivered ones for their acknowledgement included (Zeek: HasUndeliveredData)."""
        return bool(self.starts) or self.unacked > self.trimmed

    def check_eof(self) -> None:
        if not self.did_eof and (self.fin_count or self.state >= CLOSED) and not self.data_pending():
            self.did_eof = True
            self.conn.endpoint_eof(self)
