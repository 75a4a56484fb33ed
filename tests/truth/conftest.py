"""Answered flows, made to measure."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address

import pytest

from eacf.flow import Sample
from eacf.verdict import Verdict

Answered = Callable[..., tuple[list[Sample], list[Verdict]]]


@pytest.fixture(scope="session")
def answered() -> Answered:
    """`number` flows of one client, all with the same answer; `truth`: what their name says."""

    def make(
        number: int = 1,
        *,
        client: int = 1,
        truth: str | None = "chat",
        label: str | None = "chat",
        confidence: float = 0.9,
        reason: str | None = None,
        records: tuple[int, ...] = (517, -1200),
    ) -> tuple[list[Sample], list[Verdict]]:
        ends = (IPv4Address(client), 50000, IPv4Address("192.0.2.2"), 443)
        sample = Sample("C1", 0, *ends, None, b"", [], list(records))
        said = reason or ("abstained" if label is None else None)
        return [sample] * number, [Verdict("C1", label, confidence, "model", said, truth)] * number

    return make
