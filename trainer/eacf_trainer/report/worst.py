"""The flows that went most wrong, as the table shows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eacf_trainer.report.text import minute, percent, tls_version

BARS = 16
"""Records that a worst flow shows."""


@dataclass(frozen=True)
class Bar:
    """A record of a worst flow: `height` in parts of the middle line's distance to the edge, up from the client."""

    height: float
    up: bool


@dataclass(frozen=True)
class Worst:
    """A row of the worst flows."""

    server_name: str | None
    capture: str
    time: str
    version: str
    wanted: str
    best: str
    confidence: str
    said: bool
    bars: tuple[Bar, ...]
    lengths: str


def of(flow: Mapping[str, Any]) -> Worst:
    """A row, from a flow as `eacf_trainer.figures` tells of it; what needs the dataset may be missing."""
    lengths = flow.get("records") or []
    return Worst(
        server_name=flow.get("server_name"),
        capture=flow.get("capture", ""),
        time=minute(flow.get("start_ns")),
        version=tls_version(flow["tls_version"]) if flow.get("tls_version") is not None else "",
        wanted=flow["wanted"],
        best=flow["best"],
        confidence=percent(flow["confidence"]),
        said=flow["said"],
        bars=tuple(Bar(_height(length), length > 0) for length in lengths[:BARS]),
        lengths=" ".join(f"{'+' if length > 0 else '−'}{abs(length)}" for length in lengths[:BARS])
        + (" …" if len(lengths) > BARS else ""),
    )


def _height(length: int) -> float:
    """On a scale of logarithms: a record of 16 bytes or less is an eleventh of one of the greatest length, 16 KiB."""
    return round(min(11, max(1, abs(length).bit_length() - 4)) / 11, 3)
