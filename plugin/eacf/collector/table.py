"""The table of connections: finds, makes and ends them, runs their timers, and turns what they gathered into samples.

Zeek: src/packet_analysis/protocol/ip/IPBasedAnalyzer.cc, src/session/, src/Timer.cc (8.0.10). Time comes with packets:
`now` is the time of the packet at hand, `network_time` the latest so far, which never goes back. Both are seconds as
a double, since Zeek's are, and gaps must round as Zeek's do.
"""

from __future__ import annotations

from collections import OrderedDict
from hashlib import blake2b
from heapq import heapify, heappop, heappush
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from eacf.collector.connection import Connection
from eacf.collector.limits import Counters, Limits
from eacf.collector.reassembly import ESTABLISHED, INACTIVE, PARTIAL, RESET, SYN_ACK_SENT, SYN_SENT, Endpoint
from eacf.collector.samples import NEVER, Stream
from eacf.collector.screen import Screen
from eacf.collector.selection import Choice, Selection
from eacf.collector.ssl import PORTS, Analyzer
from eacf.collector.tcp import (
    ACK,
    ATTEMPT,
    DEADLINE,
    DELETE,
    EXPIRE,
    INACTIVITY,
    SYN,
    TCP_CONNECTION_LINGER,
    TCP_SESSION_TIMER,
)
from eacf.flow import DEFAULT_RECORDS, Address, Chunk, Needs, Sample

LIKELY_SERVER_PORTS = PORTS | {21, 22, 25, 53, 79, 80, 81, 88, 135, 139, 143, 389, 445, 502, 587, 631, 1080, 1883, 2811}
LIKELY_SERVER_PORTS |= {3128, 3268, 3389, 5222, 5269, 5432, 6379, 6666, 6667, 6668, 6669, 8000, 8080, 8888, 20000}
"""Zeek: likely_server_ports, as filled by the scripts under base/; says which side answers where no SYN was seen."""

TIMERS_PER_CONNECTION, TIMERS_SPARE = 8, 1024
"""Timers in the queue at most, beside which those of connections that are over are thrown out; a connection has 7."""
OPEN = (PARTIAL, ESTABLISHED)
MAX_TIMERS = 300
"""Timers run before a packet at most (Zeek: max_timer_expires)."""

BASE62 = (b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" * 5)[:256]
UID_CHARACTERS = 17


class Collected(NamedTuple):
    """A sample, and when it was complete."""

    time_ns: int
    """Packet time."""
    sample: Sample
    also: bool = False
    """True: taken by the second set of needs (`also`)."""
    tls_version: int | None = None
    """What the ServerHello settled on, as on the wire (0x0304: TLS 1.3); None where none was read before the sample was
    complete. It is looked for only where records are wanted, too: without them analysis ends with the ClientHello."""


def split_key(key: bytes) -> tuple[Address, int, Address, int]:
    """Addresses and ports of a key: source, destination, as in the packet's headers."""
    ports = int.from_bytes(key[-4:-2], "big"), int.from_bytes(key[-2:], "big")
    if len(key) == 12:
        return IPv4Address(key[:4]), ports[0], IPv4Address(key[4:8]), ports[1]
    return IPv6Address(key[:16]), ports[0], IPv6Address(key[16:32]), ports[1]


def reverse(key: bytes) -> bytes:
    """The key of packets the other way."""
    half = (len(key) - 4) // 2
    return key[half : 2 * half] + key[:half] + key[-2:] + key[-4:-2]


class Table:
    """See the module. Samples that are complete wait in `ready`."""

    def __init__(
        self, needs: Needs, also: Needs | None, flow_timeout_s: float, limits: Limits, selection: Selection
    ) -> None:
        ways = [needs] if also is None else [needs, also]
        streams = [way for way in ways if not way.records_only]
        records = [way for way in ways if way.records_only]
        if len(streams) > 1 or len(records) > 1:
            raise ValueError("one set of needs at most may want the stream, and one records only")
        self.stream_needs = streams[0] if streams else None
        self.stream_also = bool(streams) and streams[0] is also
        self.records_also = bool(records) and records[0] is also
        self.wants_records = bool(records)
        self.record_count = min((records[0].records if records else 0) or DEFAULT_RECORDS, limits.records)
        self.flow_timeout_s = flow_timeout_s
        self.limits = limits
        self.selection = selection
        self.counters = Counters()
        self.ends: dict[bytes, Endpoint] = {}
        self.open: OrderedDict[int, Connection] = OrderedDict()  # by serial number, thus oldest first
        self.timers: list[tuple[float, int, int, Connection]] = []
        self.next_timer = float("inf")
        self.now = self.network_time = 0.0
        self.screen = Screen()
        self.buffer_bytes = 0
        self.gathering: OrderedDict[int, Connection] = OrderedDict()  # those that hold anything, in order of beginning
        self.gathered_bytes = 0
        self.ready: list[Collected] = []
        self._serial = 0
        self._timer_serial = 0

    # Connections

    def segment(self, key: bytes, flags: int, seq: int, ack: int, data: bytes, length: int) -> None:
        """One TCP segment at time `now`; `length` is that of its data on the wire."""
        end = self.ends.get(key)
        if end is None:
            end = self._begin(key, flags)
        elif flags & SYN and end.conn.is_reuse(flags, seq):
            self.counters.reused_connections += 1
            self.remove(end.conn)
            end = self._begin(key, flags)
        end.conn.process(end, flags, seq, ack, data, length)

    def _begin(self, key: bytes, flags: int) -> Endpoint:
        """Zeek: IPBasedAnalyzer::NewConn and TCPAnalyzer::WantConnection."""
        if len(self.open) >= self.limits.connections:
            self.counters.evicted_connections += 1
            self.remove(next(iter(self.open.values())))
        source, destination = key[-4:-2], key[-2:]
        flip = False
        if flags & (SYN | ACK) != SYN and int.from_bytes(source, "big") in LIKELY_SERVER_PORTS:
            both = int.from_bytes(destination, "big") in LIKELY_SERVER_PORTS
            flip = not both or (not flags & SYN and source < destination)
        other = reverse(key)
        self._serial += 1
        conn = Connection(self, (other, key) if flip else (key, other), self.now, self._serial)
        self.counters.connections += 1
        self.open[conn.serial] = conn
        self.ends[conn.keys[1]] = conn.resp
        self.ends[conn.keys[0]] = conn.orig
        if flip or flags & (SYN | ACK) != SYN:  # else the timer of the attempt comes first, and arms this one
            self.arm(self.now + conn.inactivity_timeout, conn, INACTIVITY)
        if int.from_bytes(conn.keys[1][-4:-2], "big") in PORTS:
            self.attach_analyzer(conn)
        return self.ends[key]

    def remove(self, conn: Connection) -> None:
        """A connection is over; what it gathered goes out."""
        if conn.removed:
            return
        conn.removed = True
        del self.open[conn.serial]
        for key in conn.keys:
            end = self.ends.get(key)
            if end is not None and end.conn is conn:
                del self.ends[key]
        self.screen.remove(conn)
        self._emit(conn)
        self._release(conn)
        conn.orig.drop_blocks()
        conn.resp.drop_blocks()
        # No circles of references, so that memory is free at once and not when Python next looks for them.
        del conn.orig.peer, conn.resp.peer, conn.orig, conn.resp
        conn.matcher = conn.analyzer = conn.stream = conn.handover = None

    def finish(self) -> None:
        """The capture is over: what is open goes out, oldest first."""
        for conn in list(self.open.values()):
            self.remove(conn)
        self.timers.clear()
        self.next_timer = float("inf")

    # Timers

    def arm(self, when: float, conn: Connection, kind: int) -> None:
        timers = self.timers
        if len(timers) > TIMERS_PER_CONNECTION * len(self.open) + TIMERS_SPARE:
            # Timers of connections that are gone would wait for their time; it may never come.
            timers[:] = [timer for timer in timers if not timer[3].removed]
            heapify(timers)
        self._timer_serial += 1
        heappush(timers, (when, self._timer_serial, kind, conn))
        self.next_timer = timers[0][0]

    def expire(self) -> None:
        """Run the timers that are due at `network_time`."""
        timers = self.timers
        for _ in range(MAX_TIMERS):
            if not timers or timers[0][0] > self.network_time:
                break
            when, _, kind, conn = heappop(timers)
            if not conn.removed:
                self._expired(conn, kind, when)
        self.next_timer = timers[0][0] if timers else float("inf")

    def _expired(self, conn: Connection, kind: int, when: float) -> None:
        if kind == DEADLINE:
            if conn.stream is not None and conn.stream.deadline <= when:
                self.stream_complete(conn)
            if not conn.records_done and conn.records_deadline <= when:
                self.records_complete(conn)
            return
        if kind == DELETE:
            self.remove(conn)
        elif conn.timers_cancelled:
            return
        elif kind == INACTIVITY:
            due = self.screen.last_time(conn) + conn.inactivity_timeout
            if due <= self.network_time:
                self.remove(conn)
            else:
                self.arm(due, conn, INACTIVITY)
        elif not conn.is_active:
            return
        elif kind == ATTEMPT:
            if conn.orig.state in (SYN_SENT, SYN_ACK_SENT) and conn.resp.state == INACTIVE:
                self.remove(conn)
            else:
                self.arm(self.screen.last_time(conn) + conn.inactivity_timeout, conn, INACTIVITY)
        elif kind == EXPIRE:
            self._session_timer(conn)

    def _session_timer(self, conn: Connection) -> None:
        """Zeek: TCPSessionAdapter::ExpireTimer."""
        orig, resp = conn.orig, conn.resp
        if (
            conn.last_time + TCP_CONNECTION_LINGER < self.network_time
            and (orig.did_close or resp.did_close)
            and (
                (orig.did_close and resp.did_close)
                or RESET in (orig.state, resp.state)
                or INACTIVE in (orig.state, resp.state)
            )
        ):
            self.remove(conn)
        else:
            self.arm(self.network_time + TCP_SESSION_TIMER, conn, EXPIRE)

    # What connections gather

    def buffered(self, change: int) -> None:
        self.buffer_bytes += change

    def leave_alone(self, conn: Connection) -> bool:
        """Whether this connection is not to be collected; then nothing more is looked at but its control packets."""
        chosen = self.selection.of(*split_key(conn.keys[0]))
        if chosen is Choice.TAKE:
            return False
        if chosen is Choice.IGNORE:
            self.counters.ignored_connections += 1
        else:
            self.counters.unsampled_connections += 1
        conn.matcher = conn.analyzer = None
        conn.records_done = True
        self.settle(conn)
        return True

    def attach_analyzer(self, conn: Connection) -> None:
        conn.analyzer = Analyzer(conn, self.limits.handshake_bytes)
        conn.analyzed = True

    def attach_stream(self, conn: Connection) -> bool:
        if self.stream_needs is None or conn.stream is not None:
            return False
        conn.stream = Stream(self.stream_needs, self.limits)
        return True

    def stream_progress(self, conn: Connection, stream: Stream) -> None:
        """The sample of `conn` has its first chunk, or is complete."""
        if stream.complete:
            self.stream_complete(conn)
        elif self.flow_timeout_s > 0:
            stream.deadline = self.network_time + self.flow_timeout_s
            self.arm(stream.deadline, conn, DEADLINE)

    def records_progress(self, conn: Connection) -> None:
        """The records of `conn` are not complete; with the first of them their flow timeout begins."""
        if conn.records_deadline == NEVER:
            conn.records_deadline = self.network_time + self.flow_timeout_s
            self.arm(conn.records_deadline, conn, DEADLINE)

    def shed(self) -> None:
        """Too much is gathered: the oldest that gather send what they have."""
        while self.gathered_bytes > self.limits.gathered_bytes:
            oldest = next(iter(self.gathering.values()))
            self.counters.cut_samples += 1
            oldest.matcher = oldest.handover = None
            self._emit(oldest)
            self.settle(oldest)

    def _release(self, conn: Connection) -> None:
        if self.gathering.pop(conn.serial, None) is not None:
            self.gathered_bytes -= conn.held
            conn.held = 0

    def stream_complete(self, conn: Connection) -> None:
        """The stream's sample is whole, or will never be."""
        stream, conn.stream = conn.stream, None
        if stream is not None and stream.seen:
            if len(stream.records) >= self.limits.records or len(stream.chunks) >= self.limits.chunks:
                del stream.records[self.limits.records :]
                self.counters.cut_samples += 1
            self._put(conn, bytes(stream.payload), stream.chunks, stream.records, self.stream_also)
        self.settle(conn)

    def records_complete(self, conn: Connection) -> None:
        analyzer = conn.analyzer
        conn.records_done = True
        if analyzer is not None and analyzer.records:
            self._put(conn, b"", [], analyzer.records[: self.record_count], self.records_also)
        self.settle(conn)

    def _put(self, conn: Connection, payload: bytes, chunks: list[Chunk], records: list[int], also: bool) -> None:
        orig_h, orig_p, resp_h, resp_p = split_key(conn.keys[0])
        name = conn.server_name
        sample = Sample(
            self._uid(conn),
            int(conn.start * 1e9),
            orig_h,
            orig_p,
            resp_h,
            resp_p,
            None if name is None else name.decode("utf-8", "surrogateescape"),
            payload,
            chunks,
            records,
        )
        self.counters.flows += 1
        self.ready.append(Collected(int(self.network_time * 1e9), sample, also, conn.tls_version))

    def _uid(self, conn: Connection) -> str:
        """Like Zeek's, but the same each time the same capture is read."""
        seed = conn.keys[0] + int(conn.start * 1e9).to_bytes(8, "big", signed=True) + conn.serial.to_bytes(8, "big")
        return "C" + blake2b(seed, digest_size=UID_CHARACTERS).digest().translate(BASE62).decode("ascii")

    def _emit(self, conn: Connection) -> None:
        if conn.stream is not None:
            self.stream_complete(conn)
        if not conn.records_done:
            self.records_complete(conn)

    def settle(self, conn: Connection) -> None:
        """Let go of what a connection needs no more; it is idle when nothing is left to look at."""
        analyzer = conn.analyzer
        if analyzer is not None and analyzer.dead and not conn.records_done:
            conn.records_done = True
            self.counters.dropped_handshakes += analyzer.dropped
            if analyzer.records:
                self._put(conn, b"", [], analyzer.records[: self.record_count], self.records_also)
        if analyzer is not None and (analyzer.dead or (conn.records_done and analyzer.greeted)):
            conn.analyzer = None
        if conn.matcher is not None or conn.stream is not None or conn.handover is not None:
            return
        if conn.analyzer is not None and not conn.records_done:
            return
        conn.idle = True
        if conn.orig.state in OPEN and conn.resp.state in OPEN:
            self.screen.add(conn)
        self._release(conn)
        conn.analyzer = None
        for end in (conn.orig, conn.resp):
            end.drop_blocks()
            end.skip = True
