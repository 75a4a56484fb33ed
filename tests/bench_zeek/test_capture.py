"""The generator of the CPU figures' capture, run as the bench runs it, read back by our collector."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import dpkt
import pytest

from eacf.collector import collect

CONNECTIONS, SPREAD_S = 60, 0.2


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Path:
    target = tmp_path_factory.mktemp("capture") / "load.pcap"
    script = repository / "tests" / "bench_zeek" / "capture.py"
    options = ["--connections", str(CONNECTIONS), "--megabytes", "4.3", "--spread", str(SPREAD_S)]
    subprocess.run([sys.executable, str(script), str(target), *options], check=True)
    return target


def test_packets_are_in_order_of_time(capture: Path) -> None:
    with capture.open("rb") as file:
        times = [time for time, _ in dpkt.pcap.Reader(file)]
    assert times == sorted(times)
    assert 80 * CONNECTIONS < len(times) < 105 * CONNECTIONS


def test_every_connection_is_a_flow_of_its_own(capture: Path) -> None:
    samples = [found.sample for found in collect(capture)]
    assert len(samples) == CONNECTIONS
    assert len({(each.orig_h, each.orig_p, each.resp_h) for each in samples}) == CONNECTIONS
    starts = [each.start_ns for each in samples]
    assert max(starts) - min(starts) <= SPREAD_S * 1e9
    assert all(each.payload and each.records and each.server_name for each in samples)


def test_sizes_spread_over_orders_of_magnitude(capture: Path) -> None:
    sizes: dict[tuple[bytes, bytes], int] = {}
    with capture.open("rb") as file:
        for _, frame in dpkt.pcap.Reader(file):
            ip = dpkt.ethernet.Ethernet(frame).data
            ends = sorted([ip.src + ip.data.sport.to_bytes(2, "big"), ip.dst + ip.data.dport.to_bytes(2, "big")])
            sizes[ends[0], ends[1]] = sizes.get((ends[0], ends[1]), 0) + len(ip.data.data)
    ordered = sorted(sizes.values())
    assert ordered[-1] > 10 * ordered[len(ordered) // 2]
