"""The captures and the bundle of a replay, and what can be wrong with their names."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, cast

import eacf.bundle
from eacf.errors import SettingError

Capture = str | Path | BinaryIO
"""A path ("-": standard input) or a binary file; pcap or pcapng, gzip or not."""


def listed(captures: Capture | Iterable[Capture]) -> list[Capture]:
    if isinstance(captures, (str, Path)):
        return [captures]
    if hasattr(captures, "read"):  # a file can be iterated over, too
        return [cast(BinaryIO, captures)]
    return list(captures)


def opened(source: Capture) -> Capture:
    """Standard input unbuffered, to see what a `tcpdump -w -` has written so far, not whole blocks."""
    if isinstance(source, (str, Path)) and str(source) == "-":
        return open(sys.stdin.fileno(), "rb", buffering=0, closefd=False)
    return source


def name_of(source: Capture) -> str:
    if isinstance(source, (str, Path)):
        return "standard input" if str(source) == "-" else str(source)
    return str(getattr(source, "name", "capture"))


def check(sources: list[Capture], flow_timeout_s: float) -> None:
    """The operator's mistakes, before anything is started."""
    if not sources:
        raise SettingError("no capture given; name at least one file, or - for standard input")
    if not flow_timeout_s >= 0:
        raise SettingError(f"--flow-timeout {flow_timeout_s:g}: must be 0 (off) or a number of seconds above it")
    for source in sources:
        if isinstance(source, (str, Path)) and str(source) != "-":
            if not Path(source).exists():
                raise SettingError(f"{source}: no such file; name captures that exist, or - for standard input")
            if Path(source).is_dir():
                raise SettingError(f"{source}: is a folder; name the captures in it")


def bundle_path(bundle: Path | str | None) -> Path:
    """Where the bundle lies; read here too, so that a bad one is told plainly and before a process is started."""
    path = eacf.bundle.find(bundle)
    if not path.exists():
        raise SettingError(
            f"--bundle {path}: no such file; name a bundle (.eacf), or a shipped one: {', '.join(eacf.bundle.shipped())}"
        )
    eacf.bundle.load(path)
    return path.resolve()
