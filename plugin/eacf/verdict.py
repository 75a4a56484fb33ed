"""Verdicts: what a worker says of a flow, and the line that eacf.log keeps of it (contract v1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from eacf.flow import Address

Reason = Literal["abstained", "refused", "timeout", "no_worker", "shed"]


@dataclass(slots=True)
class Verdict:
    """Contract v1, record ``EACF::Verdict``."""

    uid: str
    label: str | None
    """None: no label; `reason` says why."""
    confidence: float
    """Calibrated probability of the best label, in 0 to 1, given when the model abstains too."""
    model: str
    """Id of the bundle that said it."""
    reason: str | None = None
    """"abstained" or "refused" from a worker."""
    sni_label: str | None = None
    """What the sample's server name says by the bundle's label map."""


@dataclass(slots=True)
class Info:
    """Contract v1, record ``EACF::Info``: one line of eacf.log, fields in the contract's order."""

    ts_ns: int
    """Start of the connection."""
    uid: str
    orig_h: Address
    orig_p: int
    resp_h: Address
    resp_p: int
    server_name: str | None
    label: str | None
    confidence: float | None
    reason: str | None
    model: str | None
    worker: str | None
    sni_label: str | None
    latency_ns: int | None
    """Sample published to verdict handled."""
    payload_bytes: int
    chunks: int
    records: int
