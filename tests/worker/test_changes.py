"""Models over the bus to a worker's process: pushes, orders, what is refused, and that no flow is lost to any of it."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from eacf import bundle, keys
from eacf.bundle import from_bytes
from eacf.delivery import push, send_order
from eacf.models import Store, orders
from eacf.wire import Hello

if TYPE_CHECKING:
    from tests.worker.conftest import Sensor, Signed, Start

WAIT_S = 20.0


def closes(report: dict[str, Any]) -> bool:
    """The worker's account."""
    told = sum(report["dropped"].values()) + report["queue"]["flows"] + report["held_verdicts"]
    return bool(report["flows_in"] == report["verdicts_out"] + told)


def test_a_push_serves_and_is_there_after_a_restart(
    sensor: Sensor, start: Start, takes_models: list[str], signed: Signed, tmp_path: Path
) -> None:
    process = start(*takes_models)
    old = sensor.greet()
    data = signed("next")
    new = from_bytes(data, "new")
    seen = []
    outcomes = push(sensor.bus.endpoints, data, wait_s=WAIT_S, tell=seen.append)
    assert {worker: outcome.what for worker, outcome in outcomes.items()} == {old.worker: "serving"}
    assert [progress.have for progress in seen] == sorted(progress.have for progress in seen)
    assert seen[-1].have == seen[-1].size == len(data)
    sensor.until(lambda: sensor.hellos[-1] == Hello(old.worker, new.id, new.needs))
    sensor.send(10)
    sensor.until(sensor.answered)
    assert {verdict.model for verdict in sensor.verdicts} == {new.id}
    report = sensor.report()
    assert closes(report)
    assert (report["bundle"]["version"], report["models"]["serving"]) == ("next", new.id)
    assert report["models"]["push"]["counts"]["taken"] == 1
    process.terminate()
    assert process.wait(WAIT_S) == 0
    sensor.until(lambda: not sensor.workers)
    start(*takes_models)
    assert sensor.greet().model == new.id
    state = Store.open(tmp_path / "models").state()
    assert state.before == old.model
    assert list((tmp_path / "models" / "incoming").iterdir()) == []
