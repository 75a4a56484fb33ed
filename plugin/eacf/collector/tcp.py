"""The TCP state machine of one connection, as Zeek has it; what hangs on it is told by its heir, Connection.

After src/packet_analysis/protocol/tcp/TCPSessionAdapter.cc of Zeek 8.0.10, whose names the comments give. Only what
decides which bytes are delivered, in which direction and when a connection ends is here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eacf.collector.reassembly import (
    CLOSED,
    ESTABLISHED,
    INACTIVE,
    PARTIAL,
    RESET,
    SYN_ACK_SENT,
    SYN_SENT,
    Endpoint,
    seq_delta,
)

if TYPE_CHECKING:
    from eacf.collector.table import Table

FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10
CONTROL = FIN | SYN | RST

SEEN = (2, 1)  # by is_orig
BOTH_SEEN = 3
TURNED = (0, 2, 1, 3)  # the same when originator and responder change places
TOO_LARGE_SEQ_DELTA = 1048576
SIMPLE_BYTES = 1 << 30
"""A side that sent less has relative numbers that the low 32 bits tell alone."""

# Zeek: init-bare.zeek, in seconds.
TCP_ATTEMPT_DELAY = 5.0
TCP_SESSION_TIMER = 6.0
TCP_CONNECTION_LINGER = 5.0
TCP_CLOSE_DELAY = 5.0
TCP_INACTIVITY_TIMEOUT = 300.0
HANDSHAKE_INACTIVITY_TIMEOUT = 60.0  # udp_inactivity_timeout; TCP.cc begins with it

# Kinds of timers.
INACTIVITY, ATTEMPT, EXPIRE, DELETE, DEADLINE = range(5)


class Tcp:
    """State of one connection. Its heir takes what is delivered, and keeps the timers."""

    __slots__ = (
        "close_deferred",
        "first_seen",
        "idle",
        "inactivity_timeout",
        "is_active",
        "is_partial",
        "keys",
        "last_time",
        "only_synack",
        "orig",
        "resp",
        "start",
        "table",
        "timers_cancelled",
    )

    def __init__(self, table: Table, keys: tuple[bytes, bytes], start: float, sides: tuple[Endpoint, Endpoint]) -> None:
        self.table = table
        self.keys = keys  # (originator's, responder's) addresses and ports
        self.start = self.last_time = start
        self.orig, self.resp = sides
        self.orig.peer = self.resp
        self.resp.peer = self.orig
        self.is_partial = False
        self.first_seen = 0  # of SEEN, originator's and responder's bit (Zeek: first_packet_seen)
        self.only_synack = False  # nothing yet but SYN-ACKs of the originator (Zeek: history "H")
        self.is_active = True
        self.close_deferred = False
        self.inactivity_timeout = HANDSHAKE_INACTIVITY_TIMEOUT
        self.timers_cancelled = False
        self.idle = False  # only control packets still matter

    # What the heir does

    def deliver(self, end: Endpoint, data: bytes) -> None:
        """Take in-order data of one side."""
        raise NotImplementedError

    def undelivered(self, end: Endpoint, length: int) -> None:
        """Be told of data of one side that will never be seen."""
        raise NotImplementedError

    def first_packet(self, is_orig: bool) -> None:
        """Be told of the first packet of a side."""
        raise NotImplementedError

    def wake(self) -> None:
        """Be told of a control packet while idle."""
        raise NotImplementedError

    def arm(self, due: float, kind: int) -> None:
        """Set a timer."""
        raise NotImplementedError

    # Packets

    def process(self, end: Endpoint, flags: int, seq: int, ack: int, data: bytes, length: int) -> None:
        """One segment from `end`; `data` may be shorter than its `length` where the capture is cut (Zeek: Process)."""
        peer = end.peer
        now = self.table.now
        is_orig = end.is_orig  # as the packet came; it stays so below even if the connection is turned round
        if not self.first_seen & SEEN[is_orig]:
            self._set_partial(is_orig, flags)
        segment = length
        if flags & CONTROL:
            if self.idle:
                self.wake()
            segment = (0 if flags & RST else length) + (flags & SYN > 0) + (flags & FIN)
        past = (seq + segment) & 0xFFFFFFFF
        self._init_endpoint(end, flags, seq, past)
        rel = end.relative(seq, end.last_seq, end.seq_wraps)
        self._history(end, flags, length)
        if not (self.orig.did_close and self.resp.did_close):
            self.last_time = now
        if flags & FIN:
            end.fin_count += 1
            end.fin_seq = (rel + segment) & 0xFFFFFFFFFFFFFFFF
        rel_ack = 0
        if flags & ACK:
            if peer.state == INACTIVE:
                rel_ack = 1
                peer.begin((ack - 1) & 0xFFFFFFFF, (ack - 1) & 0xFFFFFFFF)
            else:
                rel_ack = peer.relative(ack, peer.ack_seq, peer.ack_wraps)
                if rel_ack < 0:
                    rel_ack = 0
                elif not flags & RST:
                    self._update_ack(peer, ack)
        self._update_last(end, past, flags)
        closing = self._update_state(end, peer, is_orig, seq, length, flags)
        if flags & ACK:
            peer.ack_received(rel_ack)
        if not self.first_seen & SEEN[is_orig]:
            self.first_seen |= SEEN[is_orig]
            self.first_packet(is_orig)
        if length and rel >= 0 and not flags & RST and len(data) >= length:
            end.data_sent(rel + 1 if flags & SYN else rel, data)
        if end.fin_count or end.state >= CLOSED:
            end.check_eof()
            if closing:
                self._closed(end)

    def established(self, end: Endpoint, seq: int, ack: int, data: bytes, length: int) -> None:
        """As `process`, for the common segment: no control flags, both sides established, no wrap of numbers near."""
        peer = end.peer
        rel = (seq - end.start_seq) & 0xFFFFFFFF
        last = (end.last_seq - end.start_seq) & 0xFFFFFFFF
        rel_ack = (ack - peer.start_seq) & 0xFFFFFFFF
        acked = (peer.ack_seq - peer.start_seq) & 0xFFFFFFFF
        if (
            rel > SIMPLE_BYTES
            or last > SIMPLE_BYTES
            or rel_ack > SIMPLE_BYTES
            or acked > SIMPLE_BYTES
            or self.first_seen != BOTH_SEEN
        ):
            self.process(end, ACK, seq, ack, data, length)
            return
        self.only_synack = False
        self.last_time = self.table.now
        if rel_ack > acked:
            if ack < peer.ack_seq:
                peer.ack_wraps += 1
            peer.ack_seq = ack
        if rel + length > last:
            end.advance_last((seq + length) & 0xFFFFFFFF)
        if rel_ack > peer.trimmed:
            if rel_ack > peer.delivered:
                peer.ack_received(rel_ack)
            else:
                peer.trimmed = rel_ack
        if length and len(data) >= length:
            if rel == end.delivered and not end.starts and not end.skip:
                end.delivered = end.unacked = rel + length
                self.deliver(end, data)
            else:
                end.data_sent(rel, data)

    def _set_partial(self, is_orig: bool, flags: int) -> None:
        if is_orig:
            self.is_partial = not flags & SYN or bool(flags & ACK)
        elif not self.is_partial:
            self.is_partial = not flags & SYN

    def _init_endpoint(self, end: Endpoint, flags: int, seq: int, past: int) -> None:
        state = end.state
        if state == INACTIVE:
            if flags & SYN:
                end.begin(seq, past)
            else:
                end.begin((seq - 1) & 0xFFFFFFFF, seq)
        elif flags & SYN:
            if state in (SYN_SENT, SYN_ACK_SENT):
                if seq != end.start_seq:
                    end.begin(seq, past)
            elif state in (ESTABLISHED, PARTIAL) or (state == RESET and end.prev_state == INACTIVE):
                end.begin(seq, past)

    def _history(self, end: Endpoint, flags: int, length: int) -> None:
        """A connection that begins with SYN-ACK is turned round by the traffic after it (Zeek: CheckHistory)."""
        if not self.first_seen:
            self.only_synack = flags & (CONTROL | ACK) == SYN | ACK and self.orig is end
        elif self.only_synack and not (flags & (CONTROL | ACK) == SYN | ACK and end.is_orig):
            self.only_synack = False
            if not flags & CONTROL and (length or flags & ACK):
                self.flip()
                self.first_seen |= SEEN[True]

    def flip(self) -> None:
        """Originator and responder change places (Zeek: Connection::FlipRoles)."""
        self.orig, self.resp = self.resp, self.orig
        self.orig.is_orig, self.resp.is_orig = True, False
        self.keys = self.keys[::-1]
        self.first_seen = TURNED[self.first_seen]
        self.is_partial = False

    def _update_ack(self, end: Endpoint, ack: int) -> None:
        delta = seq_delta(ack, end.ack_seq)
        if delta > 0 and not (ack == 0 and delta > TOO_LARGE_SEQ_DELTA):
            end.advance_ack(ack)

    def _update_last(self, end: Endpoint, past: int, flags: int) -> None:
        delta = seq_delta(past, end.last_seq)
        if flags & (SYN | RST) and not -TOO_LARGE_SEQ_DELTA <= delta <= TOO_LARGE_SEQ_DELTA:
            return
        if (flags & FIN and end.last_seq == (end.start_seq + 1) & 0xFFFFFFFF) or (delta > 0 and end.state != RESET):
            end.advance_last(past)

    # State machine (Zeek: UpdateStateMachine). Each returns whether the side closes.

    def _update_state(self, end: Endpoint, peer: Endpoint, is_orig: bool, seq: int, length: int, flags: int) -> bool:
        state = end.state
        if state == INACTIVE:
            return self._from_inactive(end, peer, is_orig, seq, length, flags)
        if not flags & CONTROL:
            return False
        if state in (SYN_SENT, SYN_ACK_SENT):
            if flags & FIN:
                self.set_state(end, CLOSED)
            if flags & RST:
                self.set_state(end, RESET)
                self.is_active = False
            return bool(flags & (FIN | RST))
        if state in (ESTABLISHED, PARTIAL):
            return self._from_established(end, peer, flags)
        if state == CLOSED and flags & RST and peer.state != CLOSED:
            self.set_state(end, RESET)
            return not end.did_close
        return False

    def _from_inactive(self, end: Endpoint, peer: Endpoint, is_orig: bool, seq: int, length: int, flags: int) -> bool:
        closing = False
        if flags & SYN:
            if is_orig:
                self.set_state(end, SYN_ACK_SENT if flags & ACK else SYN_SENT)
                self.arm(self.table.now + TCP_ATTEMPT_DELAY, ATTEMPT)
            else:
                if not flags & ACK and peer.state == SYN_ACK_SENT and seq == end.start_seq:
                    # SYN and SYN-ACK came in the wrong order.
                    self.is_partial = False
                    self.flip()
                    self.set_state(peer, ESTABLISHED)
                    self.first_seen |= SEEN[True]
                if peer.state == SYN_SENT:
                    self.set_state(peer, ESTABLISHED)
                self.set_state(end, ESTABLISHED)
        if flags & FIN:
            self.set_state(end, CLOSED)
            closing = True
        if flags & RST:
            self.set_state(end, RESET)
            closing = True
        if end.state == INACTIVE:
            if not is_orig and length == 0 and self.orig.state == SYN_SENT:
                pass  # some acknowledge a SYN before they answer it
            elif flags & ACK and peer.state == ESTABLISHED:
                self.set_state(end, ESTABLISHED)
                self.is_partial = False
                self.first_seen |= SEEN[is_orig]
            else:
                self.set_state(end, PARTIAL)
        return closing

    def _from_established(self, end: Endpoint, peer: Endpoint, flags: int) -> bool:
        if flags & SYN and not flags & ACK and end.state == PARTIAL and peer.state == INACTIVE:
            self.set_state(end, SYN_SENT)
        if flags & FIN and not flags & RST:
            self.set_state(end, CLOSED)
            if peer.state == RESET and peer.prev_state == CLOSED:
                self.set_state(peer, CLOSED)
        if flags & RST:
            self.set_state(end, RESET)
            if peer.state != RESET or peer.prev_state != ESTABLISHED:
                self.is_active = False
        return bool(flags & (FIN | RST))

    def set_state(self, end: Endpoint, state: int) -> None:
        if state == end.state:
            return
        if state >= PARTIAL and end.state < PARTIAL and end.peer.state < PARTIAL:
            self.inactivity_timeout = TCP_INACTIVITY_TIMEOUT
        end.prev_state = end.state
        end.state = state

    # Ends

    def _closed(self, end: Endpoint) -> None:
        """Zeek: ConnectionClosed."""
        peer = end.peer
        if end.data_pending():
            self.close_deferred = True
            return
        self.close_deferred = False
        if end.did_close:
            return
        end.did_close = True
        if end.state == RESET or peer.did_close or peer.state == INACTIVE:
            if end.prev_state != INACTIVE or peer.state != INACTIVE:
                self.is_active = False
            self.timers_cancelled = True
            self.arm(self.last_time + TCP_CLOSE_DELAY, DELETE)
        elif end.prev_state != INACTIVE:
            self.arm(self.last_time + TCP_SESSION_TIMER, EXPIRE)

    def endpoint_eof(self, end: Endpoint) -> None:
        """All data of one side is delivered (Zeek: EndpointEOF)."""
        if self.close_deferred:
            self._closed(end)
            self.close_deferred = False

    def is_closed(self) -> bool:
        return self.orig.did_close or self.resp.did_close

    def is_reuse(self, flags: int, seq: int) -> bool:
        """Whether a SYN begins another connection with the same addresses and ports (Zeek: IsReuse)."""
        orig = self.orig
        if flags & ACK:
            if orig.state != INACTIVE:
                return False
            orig = self.resp
        if not self.is_closed():
            if seq == orig.start_seq:
                return False
            if (
                not flags & ACK
                and orig.state == SYN_ACK_SENT
                and self.resp.state == INACTIVE
                and seq == self.resp.start_seq
            ):
                return False
        return True
