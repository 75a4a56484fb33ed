"""From an IP packet to the TCP segment in it, through fragments and tunnels, as Zeek takes them apart.

Zeek: src/packet_analysis/protocol/{ip,iptunnel,gre,udp,teredo,vxlan,geneve,gtpv1,ayiya} (8.0.10). Checksums are not
looked at (``zeek -C``). `at` and `end` bound the captured bytes, `wire` is how many there were from `at` on.
"""

from __future__ import annotations

from struct import Struct

from eacf.collector.fragments import Fragments
from eacf.collector.limits import Counters, Limits
from eacf.collector.link import EN10MB, IEEE802_11, IPV4, IPV6, Links
from eacf.collector.table import Table

TCP, UDP, GRE, IPIP, IP6 = 6, 17, 47, 4, 41
HOP_OPTIONS, ROUTING, FRAGMENT, ESP, AUTHENTICATION, DESTINATION_OPTIONS, MOBILITY = 0, 43, 44, 50, 51, 60, 135
EXTENSIONS = frozenset((HOP_OPTIONS, ROUTING, FRAGMENT, ESP, AUTHENTICATION, DESTINATION_OPTIONS, MOBILITY))

AYIYA, GENEVE, GRE_IN_UDP, GTP, GTP_CONTROL, TEREDO, VXLAN = 5072, 6081, 4754, 2152, 2123, 3544, 4789
LIKELY_UDP_SERVERS = {AYIYA, GENEVE, GTP, GTP_CONTROL, TEREDO, VXLAN, 53, 67, 88, 123, 137, 161, 162, 389, 443, 514}
LIKELY_UDP_SERVERS |= {1812, 3389, 5060, 5353, 5355, 20000}
GTP_PAYLOAD = 255
TEREDO_PREFIX = b"\x20\x01\x00\x00"

_TCP_HEADER = Struct(">IIBB")


class Packets:
    """Takes IP packets and hands TCP segments to the table."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._limits: Limits = table.limits
        self._counters: Counters = table.counters
        self._depth = 0
        self.fragments = Fragments(table.limits, table.counters)
        self.links = Links(self.packet, table.counters)

    def packet(self, data: bytes, at: int, end: int, wire: int) -> None:
        """An IP packet of either version (Zeek: IPAnalyzer::AnalyzePacket)."""
        version = data[at] >> 4 if end - at >= 20 else 0
        if version == 4:
            self._ipv4(data, at, end, wire)
        elif version == 6 and end - at >= 40:
            self._ipv6(data, at, end, wire)
        else:
            self._counters.dropped_not_ip += 1

    def _ipv4(self, data: bytes, at: int, end: int, wire: int) -> None:
        header = (data[at] & 15) * 4
        # Segmentation offload leaves the length 0; Zeek then takes what was captured.
        total = data[at + 2] << 8 | data[at + 3] or end - at
        if wire < total or not 20 <= header <= min(total, end - at):
            self._counters.dropped_truncated += 1
            return
        protocol = data[at + 9]
        addresses = data[at + 12 : at + 20]
        fragment = (data[at + 6] << 8 | data[at + 7]) & 0x3FFF
        if fragment:
            offset = (fragment & 0x1FFF) * 8
            if end - at < total:
                if offset:
                    self._counters.dropped_truncated += 1
                    return
            else:
                key = addresses + data[at + 4 : at + 6]
                body = data[at + header : at + total]
                whole = self.fragments.add(
                    key,
                    data[at : at + header],
                    protocol,
                    offset,
                    bool(fragment & 0x2000),
                    body,
                    self._table.network_time,
                )
                if whole is not None:
                    first, _, payload = whole
                    self._payload(first[9], first[12:20], payload, 0, len(payload), len(payload), len(payload))
                return
        self._payload(protocol, addresses, data, at + header, end, wire - header, total - header)

    def _ipv6(self, data: bytes, at: int, end: int, wire: int) -> None:
        total = (data[at + 4] << 8 | data[at + 5]) + 40
        if wire < total:
            self._counters.dropped_truncated += 1
            return
        addresses = data[at + 8 : at + 40]
        protocol = data[at + 6]
        here = at + 40
        while protocol in EXTENSIONS:
            kind = protocol
            if end - here < 8:
                break  # a header that is cut is no part of the chain
            length = 8 + 8 * data[here + 1] if kind not in (FRAGMENT, ESP) else 8
            if kind == AUTHENTICATION:
                length = 8 + 4 * data[here + 1]
            if length > end - here:
                break
            if kind == ROUTING:
                addresses = _routed(addresses, data, here, length)
            protocol = data[here]
            here += length
            if kind in (FRAGMENT, ESP, MOBILITY):
                if kind != FRAGMENT:
                    self._counters.dropped_not_tcp += 1
                    return
                self._fragment6(data, at, end, wire, here, total, addresses)
                return
        if here - at > total:
            self._counters.dropped_truncated += 1
            return
        self._payload(protocol, addresses, data, here, end, wire - (here - at), total - (here - at))

    def _fragment6(self, data: bytes, at: int, end: int, wire: int, here: int, total: int, addresses: bytes) -> None:
        """RFC 8200 section 4.5; `here` is behind the fragment header."""
        protocol = data[here - 8]
        field = data[here - 6] << 8 | data[here - 5]
        offset, more = field & 0xFFF8, bool(field & 1)
        if not offset and not more:
            self._payload(protocol, addresses, data, here, end, wire - (here - at), total - (here - at))
            return
        if end - at < total:
            if offset:
                self._counters.dropped_truncated += 1
            else:
                self._payload(protocol, addresses, data, here, end, wire - (here - at), total - (here - at))
            return
        body = data[here : at + total]
        key = addresses + data[here - 4 : here]
        whole = self.fragments.add(key, b"", protocol, offset, more, body, self._table.network_time)
        if whole is not None:
            _, protocol, payload = whole
            self._payload(protocol, addresses, payload, 0, len(payload), len(payload), len(payload))

    def _payload(self, protocol: int, addresses: bytes, data: bytes, at: int, end: int, wire: int, length: int) -> None:
        """What an IP packet carries; `length` is what its header says of it."""
        if protocol == TCP:
            self._tcp(addresses, data, at, end, length)
        elif protocol == UDP:
            self._udp(data, at, end, wire, length)
        elif protocol in (IPIP, IP6, GRE):
            self._depth += 1
            if self._depth > self._limits.tunnel_depth:
                self._counters.dropped_too_deep += 1
            elif protocol == GRE:
                self._gre(data, at, end)
            elif _is_exact(data, at, end, 4 if protocol == IPIP else 6):
                self.packet(data, at, end, end - at)
            self._depth -= 1
        else:
            self._counters.dropped_not_tcp += 1

    def _tcp(self, addresses: bytes, data: bytes, at: int, end: int, length: int) -> None:
        """Zeek: TCPAnalyzer::DeliverPacket. `end - at` may exceed `length` (padding) or fall short (a cut capture)."""
        if end - at < 20 or (length and length < 20):
            self._counters.dropped_truncated += 1
            return
        seq, ack, offset, flags = _TCP_HEADER.unpack_from(data, at + 4)
        header = (offset >> 4) * 4
        if not 20 <= header <= min(length, end - at):
            self._counters.dropped_truncated += 1
            return
        segment = data[at + header : min(end, at + length)]
        self._table.segment(addresses + data[at : at + 4], flags, seq, ack, segment, length - header)

    def _udp(self, data: bytes, at: int, end: int, wire: int, length: int) -> None:
        """Tunnels over UDP are known by the responder's port, two of them by their looks (Zeek: UDP.cc)."""
        if end - at < 8 or length < 8:
            self._counters.dropped_truncated += 1
            return
        port = data[at + 2] << 8 | data[at + 3]
        source = data[at] << 8 | data[at + 1]
        if source in LIKELY_UDP_SERVERS and port not in LIKELY_UDP_SERVERS:
            port = source
        cut = wire - (end - at)
        at, end = at + 8, min(end, at + length)
        wire = end - at + cut
        self._depth += 1
        if self._depth > self._limits.tunnel_depth:
            self._counters.dropped_too_deep += 1
        elif port == VXLAN:
            if end - at > 8 and data[at] & 8:
                self.links.ethernet(data, at + 8, end, wire - 8)
        elif port == GENEVE:
            self._geneve(data, at, end, wire)
        elif port in (GTP, GTP_CONTROL):
            self._gtp(data, at, end)
        elif port == GRE_IN_UDP:
            self._gre(data, at, end)
        elif port == AYIYA or data[at + 1 : at + 3] == b"\x52\x11":
            self._ayiya(data, at, end)
        elif port == TEREDO or _looks_like_teredo(data, at, end):
            self._teredo(data, at, end)
        else:
            self._counters.dropped_not_tcp += 1
        self._depth -= 1

    def _geneve(self, data: bytes, at: int, end: int, wire: int) -> None:
        """RFC 8926 section 3.4."""
        if end - at < 8 or data[at] >> 6:
            return
        header = 8 + (data[at] & 0x3F) * 4
        kind = data[at + 2] << 8 | data[at + 3]
        if end - at <= header:
            return
        if kind == 0x6558:
            self.links.ethernet(data, at + header, end, wire - header)
        elif kind in (IPV4, IPV6):
            self.packet(data, at + header, end, wire - header)

    def _gtp(self, data: bytes, at: int, end: int) -> None:
        """3GPP TS 29.060 section 6: user data of GTP version 1."""
        if end - at < 8 or data[at] >> 5 != 1 or not data[at] & 0x10 or data[at + 1] != GTP_PAYLOAD:
            return
        flags = data[at]
        here = at + 8
        if flags & 7:
            here += 4
            more = bool(flags & 4)
            while more:
                if end - here < 1 or not data[here] or end - here < data[here] * 4:
                    return
                here += data[here] * 4
                more = data[here - 1] != 0
        if end - here >= 20 and _is_exact(data, here, end, data[here] >> 4):
            self.packet(data, here, end, end - here)

    def _ayiya(self, data: bytes, at: int, end: int) -> None:
        if end - at < 8:
            return
        header = 8 + (1 << (data[at] >> 4)) + (data[at + 1] >> 4) * 4
        if end - at > header and data[at + 2] & 15 == 1 and data[at + 3] in (IPIP, IP6):
            self.packet(data, at + header, end, end - at - header)

    def _teredo(self, data: bytes, at: int, end: int) -> None:
        """RFC 4380 section 5.1.1: authentication and origin indication may stand before the IPv6 packet."""
        if data[at : at + 2] == b"\x00\x01" and end - at >= 4:
            at += 13 + data[at + 2] + data[at + 3]
        if data[at : at + 2] == b"\x00\x00":
            at += 8
        if _is_exact(data, at, end, 6):
            self.packet(data, at, end, end - at)

    def _gre(self, data: bytes, at: int, end: int) -> None:
        """RFC 2784, 2890, 2637 (version 1, PPTP); ERSPAN and Aruba as Zeek's GRE.cc."""
        if end - at < 4:
            return
        flags, kind = data[at] << 8 | data[at + 1], data[at + 2] << 8 | data[at + 3]
        version = flags & 7
        header = 4 + 4 * sum(flags & bit > 0 for bit in (0x8000, 0x2000, 0x1000, 0x0080))
        if version > 1 or flags & 0x4078 or (version and kind != 0x880B):
            return
        if version:
            protocol = int.from_bytes(data[at + header + 2 : at + header + 4], "big")
            here = at + header + 4
            if protocol in (0x21, 0x57) and _is_exact(data, here, end, 4 if protocol == 0x21 else 6):
                self.packet(data, here, end, end - here)
            return
        here = at + header
        link = -1
        if kind in (0x6558, 0x88BE):
            here += 8 if kind == 0x88BE and flags & 0x1000 else 0
            link = EN10MB
        elif kind == 0x22EB:
            if end - here <= 12 + 14:
                return
            here += 20 if data[here + 11] & 1 else 12
            link = EN10MB
        elif kind == 0x9000 or ((kind & 0x8200 == 0x8200) and not kind & 0x0F):
            link = IEEE802_11  # Aruba
        if end - here <= 0:
            return
        # Zeek reads what it takes for IP by the packet's own version, whatever GRE's protocol says.
        self.links.frame(link, data[here:end], end - here)


def _is_exact(data: bytes, at: int, end: int, version: int) -> bool:
    """Whether exactly one IP packet of that version lies there (Zeek: IP::ParsePacket)."""
    if end - at < (20 if version == 4 else 40) or data[at] >> 4 != version:
        return False
    if version == 4:
        return end - at == data[at + 2] << 8 | data[at + 3]
    return version == 6 and end - at == (data[at + 4] << 8 | data[at + 5]) + 40


def _looks_like_teredo(data: bytes, at: int, end: int) -> bool:
    """Whether a datagram on any port may be Teredo (Zeek: TeredoAnalyzer::DetectProtocol)."""
    if end - at < 40:
        return False
    if data[at] >> 4 == 6:
        return TEREDO_PREFIX in (data[at + 8 : at + 12], data[at + 24 : at + 28])
    return data[at] == 0 and data[at + 1] in (0, 1)


def _routed(addresses: bytes, data: bytes, at: int, length: int) -> bytes:
    """The final destination of a routing header (Zeek: ProcessRoutingHeader)."""
    kind, left, size = data[at + 2], data[at + 3], data[at + 1]
    if left and ((kind == 0 and size >= 2 and size % 2 == 0) or (kind == 2 and size == 2)):
        return addresses[:16] + data[at + length - 16 : at + length]
    return addresses
