"""From a captured frame to the IP packet in it: link types and what lies between, as Zeek takes them apart.

Zeek: src/packet_analysis/protocol/{ethernet,vlan,...} and scripts/base/packet-protocols (8.0.10). Each function takes
the frame, where its layer begins and where the captured bytes end, and hands on what is inside; `wire` is how many
bytes there were from `at` on before the capture cut them.
"""

from __future__ import annotations

from collections.abc import Callable

from eacf.collector.limits import Counters

Next = Callable[[bytes, int, int, int], None]
"""Takes ``(data, at, end, wire)``: for IP packets."""

EN10MB, PPP, FDDI, PPP_SERIAL, IEEE802_11, LINUX_SLL, RADIOTAP, NFLOG, LINUX_SLL2 = (
    1,
    9,
    10,
    50,
    105,
    113,
    127,
    239,
    276,
)
NULL = 0

IPV4, IPV6, MPLS_UNICAST = 0x0800, 0x86DD, 0x8847
VLAN = 0x8100
VLAN_TYPES = frozenset((VLAN, 0x88A8, 0x9100))
PPPOE_SESSION, PBB, VNTAG, FABRIC_PATH = 0x8864, 0x88E7, 0x8926, 0x8903
PPP_MPLS, PPP_IPV4, PPP_IPV6 = 0x0281, 0x0021, 0x0057
FDDI_HEADER_BYTES = 13 + 8  # FDDI and LLC; Zeek: FDDI.cc
MAX_LAYERS = 100
"""Headers before an IP packet at most (Zeek: PacketAnalyzer::max_depth)."""


class Links:
    """Takes frames apart and hands IP packets to `ip`; frames without one are counted."""

    def __init__(self, ip: Next, counters: Counters) -> None:
        self._ip = ip
        self._counters = counters
        self._links: dict[int, Callable[[bytes, int, int, int], bool]] = {
            NULL: self._null,
            EN10MB: self.ethernet,
            PPP: self._ppp,
            FDDI: self._fddi,
            PPP_SERIAL: self._ppp_serial,
            IEEE802_11: self.wifi,
            LINUX_SLL: self._sll,
            RADIOTAP: self._radiotap,
            NFLOG: self._nflog,
            LINUX_SLL2: self._sll2,
        }

    def frame(self, link: int, data: bytes, wire: int) -> None:
        """A frame of link type `link` (a LINKTYPE number); types not known are taken for bare IP, as Zeek does."""
        layer = self._links.get(link, self._bare)
        if not layer(data, 0, len(data), wire):
            self._counters.dropped_no_ip += 1

    def _bare(self, data: bytes, at: int, end: int, wire: int) -> bool:
        self._ip(data, at, end, wire)
        return True

    def ethernet(self, data: bytes, at: int, end: int, wire: int) -> bool:
        if end - at <= 16:
            return False
        if data[at + 12 : at + 14] == b"\x89\x03":
            if end - at <= 30:
                return False
            at, wire = at + 16, wire - 16
        kind = data[at + 12] << 8 | data[at + 13]
        if kind >= 1536:
            return self._ether_type(kind, data, at + 14, end, wire - 14)
        if kind > 1500 or end - at - 14 < kind:
            return False
        return self._snap(data, at + 14, end, wire - 14)

    def _ether_type(self, kind: int, data: bytes, at: int, end: int, wire: int) -> bool:
        """Follow Ethernet types until IP comes, or something without IP."""
        for _ in range(MAX_LAYERS):
            if kind in (IPV4, IPV6):
                return self._bare(data, at, end, wire)
            if kind in VLAN_TYPES:
                if end - at <= 4:
                    return False
                kind = data[at + 2] << 8 | data[at + 3]
                at, wire = at + 4, wire - 4
                if kind < 1536:
                    return kind <= 1500 and self._snap(data, at, end, wire)
                if kind in VLAN_TYPES and kind != VLAN:
                    return False  # Zeek's script registers 0x8100 alone within a VLAN
            elif kind == VNTAG:
                if end - at <= 6:
                    return False
                kind = data[at + 4] << 8 | data[at + 5]
                at, wire = at + 6, wire - 6
                if kind not in VLAN_TYPES:
                    return False
            elif kind == MPLS_UNICAST:
                return self._mpls(data, at, end, wire)
            elif kind == PPPOE_SESSION:
                return self._pppoe(data, at, end, wire)
            elif kind == PBB:
                return end - at > 18 and self.ethernet(data, at + 4, end, wire - 4)
            else:
                return False
        return False

    def _snap(self, data: bytes, at: int, end: int, wire: int) -> bool:
        """IEEE 802.2 with SNAP; bare LLC and Novell's frames hold no IP."""
        if data[at : at + 2] != b"\xaa\xaa" or end - at < 3:
            return False
        header = 8 if data[at + 2] & 3 == 3 else 9
        if end - at < header or data[at + header - 5 : at + header - 2] != b"\x00\x00\x00":
            return False
        kind = data[at + header - 2] << 8 | data[at + header - 1]
        return kind in (IPV4, IPV6) and self._bare(data, at + header, end, wire - header)

    def _mpls(self, data: bytes, at: int, end: int, wire: int) -> bool:
        bottom = 0
        while not bottom:
            if end - at <= 4:
                return False
            bottom = data[at + 2] & 1
            at, wire = at + 4, wire - 4
        return self._bare(data, at, end, wire)

    def _pppoe(self, data: bytes, at: int, end: int, wire: int) -> bool:
        if end - at <= 8:
            return False
        length = max(0, (data[at + 4] << 8 | data[at + 5]) - 2)
        kind = data[at + 6] << 8 | data[at + 7]
        end = min(end, at + 8 + length)
        return kind in (PPP_IPV4, PPP_IPV6) and self._bare(data, at + 8, end, wire - 8)

    def _ppp_type(self, kind: int, data: bytes, at: int, end: int, wire: int) -> bool:
        if kind == PPP_MPLS:
            return self._mpls(data, at, end, wire)
        return kind in (PPP_IPV4, PPP_IPV6) and self._bare(data, at, end, wire)

    def _ppp(self, data: bytes, at: int, end: int, wire: int) -> bool:
        framing = 2 if data[at : at + 2] == b"\xff\x03" else 0
        if end - at <= framing + 2:
            return False
        kind = data[at + framing] << 8 | data[at + framing + 1]
        return self._ppp_type(kind, data, at + framing + 2, end, wire - framing - 2)

    def _ppp_serial(self, data: bytes, at: int, end: int, wire: int) -> bool:
        if end - at <= 4:
            return False
        return self._ppp_type(data[at + 2] << 8 | data[at + 3], data, at + 4, end, wire - 4)

    def _null(self, data: bytes, at: int, end: int, wire: int) -> bool:
        """BSD loopback. Zeek reads the family as little-endian wherever it was captured."""
        if end - at <= 4:
            return False
        family = int.from_bytes(data[at : at + 4], "little")
        return family in (2, 24, 28, 30) and self._bare(data, at + 4, end, wire - 4)

    def _fddi(self, data: bytes, at: int, end: int, wire: int) -> bool:
        if end - at <= FDDI_HEADER_BYTES:
            return False
        return self._bare(data, at + FDDI_HEADER_BYTES, end, wire - FDDI_HEADER_BYTES)

    def _sll(self, data: bytes, at: int, end: int, wire: int) -> bool:
        if end - at <= 16:
            return False
        kind = data[at + 14] << 8 | data[at + 15]
        return kind in (IPV4, IPV6) and self._bare(data, at + 16, end, wire - 16)

    def _sll2(self, data: bytes, at: int, end: int, wire: int) -> bool:
        if end - at <= 20:
            return False
        kind = data[at] << 8 | data[at + 1]
        return kind in (IPV4, IPV6) and self._bare(data, at + 20, end, wire - 20)

    def _radiotap(self, data: bytes, at: int, end: int, wire: int) -> bool:
        if end - at <= 3:
            return False
        length = data[at + 3] << 8 | data[at + 2]
        return length < end - at and self.wifi(data, at + length, end, wire - length)

    def wifi(self, data: bytes, at: int, end: int, wire: int) -> bool:
        """IEEE 802.11 data frames that are not encrypted (Zeek: IEEE802_11.cc)."""
        if end - at <= 24:
            return False
        control, flags = data[at], data[at + 1]
        if not control >> 2 & 2 or control >> 4 & 4:
            return False
        header = 30 if flags & 3 == 3 else 24
        aggregated = False
        if control >> 4 & 8:
            if end - at <= header or flags & 0x40:
                return False
            aggregated = bool(data[at + header] & 0x80)
            header += 2
        if end - at <= header:
            return False
        at, wire = at + header, wire - header
        if not aggregated:
            return self._wifi_inner(data, at, end, wire)
        while end - at >= 14:
            length = data[at + 12] << 8 | data[at + 13]
            at, wire = at + 14, wire - 14
            if end - at < length or not self._wifi_inner(data, at, at + length, wire):
                return False
            step = length + (length % 4 if end - at - length >= length % 4 else 0)
            at, wire = at + step, wire - step
        return True

    def _wifi_inner(self, data: bytes, at: int, end: int, wire: int) -> bool:
        if end - at < 8 or data[at : at + 6] != b"\xaa\xaa\x03\x00\x00\x00":
            return False
        kind = data[at + 6] << 8 | data[at + 7]
        return kind in (IPV4, IPV6) and self._bare(data, at + 8, end, wire - 8)

    def _nflog(self, data: bytes, at: int, end: int, wire: int) -> bool:
        if end - at <= 4 or data[at + 1] or data[at] not in (2, 10):
            return False
        at, wire = at + 4, wire - 4
        while end - at > 4:
            length, kind = data[at] | data[at + 1] << 8, data[at + 2] | data[at + 3] << 8
            if kind == 9:
                return self._bare(data, at + 4, end, wire - 4)
            step = length + -length % 4
            if length < 4 or step > end - at:
                return False
            at, wire = at + step, wire - step
        return False
