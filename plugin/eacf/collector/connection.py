"""A connection in the table: what is made of the data that TCP delivers.

It is matched against Zeek's signatures, handed to TLS analysis once it is recognised, and gathered into a sample.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eacf.collector.handover import NEVER, TLS, TUNNEL, Handover
from eacf.collector.reassembly import Endpoint
from eacf.collector.samples import Stream
from eacf.collector.signature import Matcher
from eacf.collector.ssl import Analyzer
from eacf.collector.tcp import Tcp

if TYPE_CHECKING:
    from eacf.collector.table import Table

DELIVERY_OVERHEAD = 200
"""Bytes that a delivery costs beside its data at most: a chunk, a record, list entries."""
TLS_FIRST_BYTES = (0x16, 0x15, 0x80)
IGNORED_VIOLATION_BYTES = 10 * 1024  # Zeek: DPD::ignore_violations_after


class Connection(Tcp):
    """See the module. `idle` says that only its control packets still matter."""

    __slots__ = (
        "analyzed",
        "analyzer",
        "handover",
        "held",
        "matcher",
        "records_deadline",
        "records_done",
        "removed",
        "serial",
        "server_name",
        "slot",
        "stream",
        "tls",
        "tls_version",
        "undecided",
    )

    def __init__(self, table: Table, keys: tuple[bytes, bytes], start: float, serial: int) -> None:
        super().__init__(table, keys, start, (Endpoint(self, True), Endpoint(self, False)))
        self.serial = serial
        self.slot = -1  # in the screen
        self.removed = False
        self.held = 0  # bytes delivered while not idle, for the account of memory
        self.matcher: Matcher | None = Matcher()
        self.handover: Handover | None = None
        self.stream: Stream | None = None
        self.analyzer: Analyzer | None = None
        self.analyzed = False  # it had one; Zeek attaches no second one
        self.records_done = not table.wants_records
        self.records_deadline = float("inf")  # when their flow timeout is over; it begins with the first one
        self.server_name: bytes | None = None  # as Zeek's TLS analyzer tells it
        self.tls = False
        self.tls_version: int | None = None  # set by the analyzer, once
        self.undecided = not table.selection.takes_all  # who is the originator is certain only when data comes

    def first_packet(self, is_orig: bool) -> None:
        if self.matcher is not None:
            self.matcher.first_packet(is_orig)

    def wake(self) -> None:
        self.table.screen.remove(self)

    def arm(self, due: float, kind: int) -> None:
        self.table.arm(due, self, kind)

    def deliver(self, end: Endpoint, data: bytes) -> None:
        """In-order data of one side."""
        table = self.table
        if self.undecided:
            self.undecided = False
            if table.leave_alone(self):
                return
        is_orig = end.is_orig
        if self.analyzer is not None and not self.is_partial:
            self._analyze(self.analyzer, is_orig, data)
        stream = self.stream
        if stream is not None and stream.deliver(is_orig, data, table.network_time):
            table.stream_progress(self, stream)
        if self.matcher is not None:
            self._match(self.matcher, is_orig, data)
        if self.handover is not None and not self.is_partial:
            self._hand_over(self.handover, is_orig, data)
        if not self.idle:
            if not self.held:
                table.gathering[self.serial] = self
            size = len(data) + DELIVERY_OVERHEAD
            self.held += size
            table.gathered_bytes += size
            if table.gathered_bytes > table.limits.gathered_bytes:
                table.shed()

    def _match(self, matcher: Matcher, is_orig: bool, data: bytes) -> None:
        if not matcher.chunks and data[0] not in TLS_FIRST_BYTES:
            self.handover = Handover()
        client, server = matcher.deliver(is_orig, data)
        if client or server:
            self._recognised(matcher, client)
        if matcher.closed:
            self.matcher = None
            self.table.settle(self)

    def undelivered(self, end: Endpoint, length: int) -> None:
        """Data of one side that will never be seen."""
        self.table.counters.gaps += 1
        if self.analyzer is not None:
            self.analyzer.dead = True  # Zeek: had_gap
            self.table.settle(self)
        # The stream's sample goes on as if nothing were missing: Zeek's script does not look at stream_undelivered.
        if self.matcher is not None and self.matcher.chunks:
            self.matcher.gap(end.is_orig)

    def _hand_over(self, handover: Handover, is_orig: bool, data: bytes) -> None:
        """What comes after this delivery may be TLS within another protocol."""
        what = handover.deliver(is_orig, data)
        if what == TLS:
            self.matcher = None
            self.table.attach_analyzer(self)
        elif what == TUNNEL:
            self.matcher = Matcher()
            self.matcher.first_packet(True)
            self.matcher.first_packet(False)
            self.analyzer = None
            self.analyzed = False
        if what in (TLS, TUNNEL, NEVER):
            self.handover = None
            self.table.settle(self)

    def _recognised(self, matcher: Matcher, client: bool) -> None:
        table = self.table
        if not self.tls:
            self.tls = True
            table.counters.tls_connections += 1
        chunks = matcher.chunks
        if not self.analyzed:
            table.attach_analyzer(self)
            for is_orig, data in chunks:
                if self.analyzer is None or not data:
                    break
                if not self.is_partial:
                    self._analyze(self.analyzer, is_orig, data)
        if client and table.attach_stream(self):
            for is_orig, data in chunks:
                stream = self.stream
                if stream is not None and stream.deliver(is_orig, data, table.network_time):
                    table.stream_progress(self, stream)

    def _analyze(self, analyzer: Analyzer, is_orig: bool, data: bytes) -> None:
        analyzer.deliver(is_orig, data)
        if analyzer.server_name is not None:
            self.server_name = analyzer.server_name
        if self.records_done:
            # Only the name is wanted. A second ClientHello must repeat the first (RFC 8446 section 4.1.2).
            if analyzer.dead or analyzer.greeted:
                self.analyzer = None
        elif len(analyzer.records) >= self.table.record_count:
            self.table.records_complete(self)
        elif analyzer.records and not analyzer.dead and self.table.flow_timeout_s > 0:
            self.table.records_progress(self)
        elif analyzer.dead:
            self.table.settle(self)

    def is_small(self) -> bool:
        """Whether Zeek would drop an analyzer at a violation (frameworks/analyzer/dpd.zeek)."""
        if self.is_partial or self.orig.had_gap or self.resp.had_gap:
            return False
        return self.orig.size() + self.resp.size() <= IGNORED_VIOLATION_BYTES
