"""A worker's alarm over a real bus: one Zeek process makes a notice of it, the standalone one or a cluster's manager."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from eacf.bus import Peer
from eacf.sensor import zeek_scripts
from eacf.status import ask
from eacf.wire import ZEEK_TOPIC, encode_alarm

WORKER, MODEL = "0123456789ab", "ba9876543210"
TEXT = "wrong or abstained on 31.0% of the flows whose name is known, 8.1% when it was best"
LIMIT_S = 60.0


def drifts(folder: Path) -> list[dict[str, Any]]:
    """Notices of a drift in the logs of a folder."""
    lines = [line for path in folder.glob("notice*.log") for line in path.read_text().splitlines()]
    return [found for line in lines if (found := json.loads(line))["note"] == "EACF::Model_Drift"]


def tell_until(peer: Peer, condition: Callable[[], object]) -> None:
    """Say it again and again: who listens already cannot be seen from here, and what is said twice is noticed once."""
    until = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < until, f"not within {LIMIT_S:g} s"
        peer.send(ZEEK_TOPIC, encode_alarm(WORKER, MODEL, "accuracy", TEXT))
        peer.wait(0.2)
        peer.subscriptions()


def test_a_standalone_zeek_notices(faults: ModuleType, load: Path, tmp_path: Path) -> None:
    with faults.Site(tmp_path) as site:
        site.start_zeek(load)
        with site.peer() as (peer, _):
            tell_until(peer, lambda: drifts(tmp_path))
    (notice,) = drifts(tmp_path)
    assert notice["msg"] == f"eacf worker {WORKER}, model {MODEL} (accuracy): {TEXT}"


@pytest.mark.slow
def test_of_a_cluster_the_manager_alone_notices(faults: ModuleType, load: Path, tmp_path: Path) -> None:
    with faults.Site(tmp_path) as site, socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        port = chosen.getsockname()[1]
        chosen.close()
        (tmp_path / "cluster-layout.zeek").write_text(faults.LAYOUT.format(port=port))
        (tmp_path / "site.zeek").write_text(faults.SITE.format(endpoints=site.endpoints))
        path = subprocess.run(["zeek-config", "--zeekpath"], capture_output=True, text=True, check=True).stdout.strip()
        for node in ("manager", "logger-1", "worker-1", "worker-2"):
            (tmp_path / node).mkdir()
            source = ["-C", "-r", str(load), "--pseudo-realtime=1.0"] if node.startswith("worker") else []
            command = ["zeek", *source, str(tmp_path / "site.zeek"), str(zeek_scripts())]
            site.start(command, node, tmp_path / node, CLUSTER_NODE=node, ZEEKPATH=f"{tmp_path}:{path}")
        with site.peer() as (peer, _):
            # Both worker nodes answer what they hear on the bus, so they hear alarms, too.
            site.wait_for(
                lambda: {each.get("cluster_node") for each in ask(site.endpoints, 5.0)} == {"worker-1", "worker-2"}
            )
            tell_until(peer, lambda: drifts(tmp_path / "logger-1"))
            for _ in range(10):
                peer.send(ZEEK_TOPIC, encode_alarm(WORKER, MODEL, "accuracy", TEXT))
            time.sleep(1.5)
        assert len(drifts(tmp_path / "logger-1")) == 1
        assert [len(drifts(tmp_path / node)) for node in ("manager", "worker-1", "worker-2")] == [1, 0, 0]
