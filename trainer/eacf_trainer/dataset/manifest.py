"""A manifest: a CSV file that says where connections of captures come from, and what they are.

Columns ``file`` (relative to the manifest's folder), ``client`` and ``server`` (``ip:port``), ``start_ts`` (seconds since
the epoch); ``capture`` (the origin, of which the file is a piece), ``tls_version`` (``0x304``) and ``server_name`` (for connections whose
ClientHello the capture does not hold whole) where it has them. Others mean nothing here.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Final

from eacf.errors import SettingError
from eacf.flow import Address, Sample

NEEDED: Final = ("file", "client", "server", "start_ts")
NEAR_NS: Final = 5_000_000_000
"""How far the starts in the manifest and in the capture may lie apart: whoever wrote one may have counted from another of
several SYNs. (In a collection of 1,822 connections the most was 3.0 s.)"""

End = tuple[int, int]
"""Address as a number, an IPv4 one as its IPv4-mapped IPv6 one, and port."""


@dataclass(frozen=True, slots=True)
class Line:
    """What a manifest says of one connection."""

    client: End
    server: End
    start_ns: int
    capture: str | None
    """None: the manifest does not say."""
    tls_version: int | None
    server_name: str | None
    """Taken where the connection itself does not say."""


@dataclass(frozen=True)
class Manifest:
    """All lines, by file."""

    path: Path
    sha256: str
    files: Mapping[Path, tuple[Line, ...]]

    @classmethod
    def read(cls, path: Path) -> Manifest:
        """SettingError, with the line, where it is none."""
        try:
            data = path.read_bytes()
            rows = csv.DictReader(data.decode("utf-8-sig").splitlines())
            missing = [name for name in NEEDED if name not in (rows.fieldnames or ())]
            if missing:
                raise SettingError(f"--manifest {path}: has no column {missing[0]!r}; {', '.join(NEEDED)} are needed")
            files: dict[Path, list[Line]] = {}
            folder = path.parent.resolve()
            for row in rows:
                try:
                    files.setdefault((folder / row["file"]).resolve(), []).append(_line(row))
                except (ValueError, TypeError, InvalidOperation) as error:
                    raise SettingError(f"--manifest {path}, line {rows.line_num}: {error}; correct it") from None
        except OSError as error:
            raise SettingError(f"--manifest {path}: {error.strerror}; name a CSV file that can be read") from None
        except (UnicodeDecodeError, csv.Error) as error:
            raise SettingError(f"--manifest {path}: is no CSV file in UTF-8 ({error})") from None
        return cls(path, hashlib.sha256(data).hexdigest(), {file: tuple(lines) for file, lines in files.items()})

    @property
    def folder(self) -> Path:
        """Where the names of its files begin."""
        return self.path.parent


class Match:
    """The lines of one file, to be met by its connections."""

    def __init__(self, lines: Iterable[Line]) -> None:
        self._lines: dict[frozenset[End], list[Line]] = {}
        for line in lines:
            self._lines.setdefault(frozenset((line.client, line.server)), []).append(line)
        self._met: set[Line] = set()
        self._strangers: set[str] = set()

    def find(self, sample: Sample) -> Line | None:
        """The line with the ends of this connection (whoever is said to be the client) and the nearest start."""
        ends = frozenset(((_number(sample.orig_h), sample.orig_p), (_number(sample.resp_h), sample.resp_p)))
        near = min(self._lines.get(ends, ()), key=lambda line: abs(line.start_ns - sample.start_ns), default=None)
        if near is None or abs(near.start_ns - sample.start_ns) > NEAR_NS:
            self._strangers.add(sample.uid)
            return None
        self._met.add(near)
        return near

    @property
    def unlisted(self) -> int:
        """Connections without a line so far."""
        return len(self._strangers)

    @property
    def unmet(self) -> int:
        """Lines without a connection so far."""
        return len({line for lines in self._lines.values() for line in lines} - self._met)


def _line(row: Mapping[str, str]) -> Line:
    start = Decimal(row["start_ts"])
    if not start.is_finite():
        raise ValueError(f"start_ts {row['start_ts']!r} is no time in seconds")
    version = (row.get("tls_version") or "").strip()
    if version and not 0 <= int(version, 0) <= 0xFFFF:
        raise ValueError(f"tls_version {version!r} is not of 16 bits, such as 0x304")
    return Line(
        _end(row["client"], "client"),
        _end(row["server"], "server"),
        int(start * 1_000_000_000),
        (row.get("capture") or "").strip() or None,
        int(version, 0) if version else None,
        (row.get("server_name") or "").strip() or None,
    )


def _end(text: str, what: str) -> End:
    """``192.0.2.1:443``, ``2001:db8::1:443`` or ``[2001:db8::1]:443``."""
    host, _, port = text.strip().rpartition(":")
    try:
        address = ip_address(host[1:-1] if host.startswith("[") and host.endswith("]") else host)
        if not 0 <= int(port) <= 65_535:
            raise ValueError
    except ValueError:
        raise ValueError(
            f"{what} {text!r} is no address and port, such as 192.0.2.1:443 or [2001:db8::1]:443"
        ) from None
    return _number(address), int(port)


def _number(address: Address) -> int:
    if isinstance(address, IPv6Address):
        return int(address)
    assert isinstance(address, IPv4Address)
    return int(address) | 0xFFFF << 32
