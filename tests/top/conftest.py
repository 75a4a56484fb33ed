"""Reports as they come off a bus, and a watch that heard some."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from eacf.reports import kind_of
from eacf.status import Party
from eacf.top.watch import Watch

Make = Callable[..., dict[str, Any]]
Hear = Callable[..., Party]


@pytest.fixture
def worker_report() -> Make:
    """Of a worker; fields may be replaced."""

    def make(worker: str = "0123456789ab", **fields: object) -> dict[str, Any]:
        return {
            "worker": worker,
            "version": "0.1",
            "uptime_s": 100.0,
            "bundle": {"id": "f4355264fef2", "name": "office", "version": "3"},
            "flows_in": 1_000,
            "verdicts_out": 1_000,
            "abstained": 200,
            "refused": 50,
            "labels": {"mail": 500, "web": 250},
            "dropped": {},
            "malformed": {},
            "queue": {"flows": 0, "limit_flows": 4_096, "bytes": 0, "limit_bytes": 64_000_000},
            "held_verdicts": 0,
            "latency_ms": {"p50": 1.25, "p99": 8.5, "flows": 70},
            "process": {"cpu_s": 10.0, "memory_bytes": 74_000_000, "threads": 3},
            "truth": {"accuracy": 0.971, "coverage": 0.9, "labels": {"mail": {"exams": 40, "accuracy": 0.975}}},
            **fields,
        }

    return make


@pytest.fixture
def hear() -> Hear:
    """Give a watch a report of whoever says it, who is there."""

    def run(watch: Watch, report: dict[str, Any], now: float) -> Party:
        kind = kind_of(report)
        party = Party(kind, report["node" if kind == "zeek" else "worker"])
        watch.take(party, report, now)
        watch.look({*watch.present, party}, now)
        return party

    return run
