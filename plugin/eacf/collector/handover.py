"""Connections that begin with another protocol and go over to TLS: STARTTLS and its like, and proxies.

Zeek's analyzers of those protocols hand the rest of the connection to the TLS analyzer (``TLS``), or, behind a proxy,
to a new recogniser (``TUNNEL``). Here the agreement alone is looked for, by content: what the client asks for and how
the server consents. Zeek: src/analyzer/protocol/{smtp/SMTP.cc,ftp/FTP.cc,pop3/POP3.cc,imap,xmpp,http/HTTP.cc,socks,
mysql,rdp}. Samples of the stream come from ``TUNNEL`` only, since signatures do not see what an analyzer hands over.
What Zeek 8.0 does not follow is not followed either: SOCKS 4 (its parser takes the reply for an unknown version),
PostgreSQL, and TLS as tokens inside FTP (ADAT).
"""

from __future__ import annotations

import re

WAIT, TLS, TUNNEL, NEVER = range(4)

HEAD_BYTES = 4096
"""Plain text looked at, each side; connections that agree later are not followed."""

# What a client says to go over to TLS, and what a server must answer (each matched against the latest line).
_REQUESTS = (
    (re.compile(rb"(STARTTLS|X-ANONYMOUSTLS)\s*$", re.IGNORECASE), re.compile(rb"220[ \r\n]")),  # SMTP, RFC 3207
    (re.compile(rb"AUTH\s+TLS\s*$", re.IGNORECASE), re.compile(rb"234")),  # FTP, RFC 4217
    (re.compile(rb"STLS\s*$", re.IGNORECASE), re.compile(rb"\+OK")),  # POP3, RFC 2595
    (re.compile(rb"\S+\s+STARTTLS\s*$", re.IGNORECASE), re.compile(rb"\S+\s+OK", re.IGNORECASE)),  # IMAP, RFC 3501
    (re.compile(rb".*<starttls", re.DOTALL), re.compile(rb".*<proceed", re.DOTALL)),  # XMPP, RFC 6120 section 5
)
_CONNECT = re.compile(rb"CONNECT\s", re.IGNORECASE)
_CONNECTED = re.compile(rb"HTTP/\d\S*\s+200\b")
_TEXT = re.compile(rb"[\x09\x0a\x0d\x20-\x7e]*\Z")

MYSQL_PROTOCOL = 10
MYSQL_CLIENT_SSL = 0x0800
RDP_TPKT = b"\x03\x00"
RDP_CONFIRM, RDP_RESPONSE = 0xD0, 2


class Handover:
    """Watches the beginning of one connection. `deliver` says what the data after it is."""

    __slots__ = ("_answer", "_heads")

    def __init__(self) -> None:
        self._heads = [b"", b""]  # responder's, originator's
        self._answer: re.Pattern[bytes] | None = None  # what the server must say now

    def deliver(self, is_orig: bool, data: bytes) -> int:
        heads = self._heads
        heads[is_orig] += data
        server, client = heads
        if len(heads[is_orig]) > HEAD_BYTES:
            return NEVER
        if not client:
            return self._greeting(server)
        if client[0] == 5:
            return self._socks(client, server)
        if client.startswith(RDP_TPKT):
            return self._remote_desktop(server)
        if server[4:5] == bytes((MYSQL_PROTOCOL,)):
            return self._mysql(client)
        return self._text(is_orig, data, client, server)

    def _greeting(self, server: bytes) -> int:
        """The server spoke first: SMTP, FTP, POP3, IMAP and MySQL do."""
        return WAIT if _TEXT.match(server) or (server[4:5] in (b"", bytes((MYSQL_PROTOCOL,)))) else NEVER

    def _text(self, is_orig: bool, data: bytes, client: bytes, server: bytes) -> int:
        if not _TEXT.match(data):
            return NEVER
        if _CONNECT.match(client):
            if not server or (b"\r\n\r\n" not in server and b"\n\n" not in server):
                return WAIT
            return TUNNEL if _CONNECTED.match(server) else NEVER
        if is_orig:
            line = client.rstrip(b"\r\n").rpartition(b"\n")[2] + b"\n"
            for request, answer in _REQUESTS:
                if request.match(line):
                    self._answer = answer
                    return WAIT
            self._answer = None
            return NEVER if client[:5].upper() in (b"GET /", b"POST ", b"HEAD ") else WAIT
        if self._answer is not None and self._answer.match(data):
            return TLS
        return WAIT

    def _socks(self, client: bytes, server: bytes) -> int:
        """RFC 1928."""
        if len(server) < 2:
            return WAIT
        if server[0] != 5:
            return NEVER
        request, reply = client[2 + client[1] :], server[2:]
        if server[1] == 2:  # user name and password (RFC 1929)
            if len(request) < 2:
                return WAIT
            request = request[2 + request[1] :]
            request = request[1 + request[0] :] if request else b""
            reply = reply[2:]
        elif server[1]:
            return NEVER
        return TUNNEL if _socks5_whole(request) and _socks5_whole(reply) else WAIT

    def _remote_desktop(self, server: bytes) -> int:
        """[MS-RDPBCGR] 2.2.1.2: the negotiation response in the X.224 connection confirm."""
        if len(server) < 11:
            return WAIT
        if server[5] != RDP_CONFIRM or len(server) < 19 or server[11] != RDP_RESPONSE:
            return NEVER
        return TLS if int.from_bytes(server[15:19], "little") else NEVER

    def _mysql(self, client: bytes) -> int:
        """The client's answer to the server's greeting says whether TLS follows."""
        if len(client) < 6:
            return WAIT
        return TLS if int.from_bytes(client[4:6], "little") & MYSQL_CLIENT_SSL else NEVER


def _socks5_whole(message: bytes) -> bool:
    """Whether a SOCKS 5 request or reply is all there."""
    if len(message) < 5:
        return False
    size = {1: 4, 3: 1 + message[4], 4: 16}.get(message[3], 0)
    return bool(size) and len(message) >= 6 + size
