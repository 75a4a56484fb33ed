"""`eacf top` beside a real Zeek and a real worker, while traffic flows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.zeek.faults import Site, make_capture

pytestmark = [pytest.mark.zeek, pytest.mark.slow]


def test_flows_and_labels_of_real_traffic(tmp_path: Path) -> None:
    capture = make_capture(tmp_path / "load.pcap", connections=600, seconds=20)
    with Site(tmp_path / "site") as site:
        site.start_worker("worker", "--bundle", "testbed", wait=False)
        site.start_zeek(capture)
        site.wait_for_flows(60)
        command = [sys.executable, "-m", "eacf", "top", "--once", "--interval", "1"]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=60, check=False, env=site.environment | {"COLUMNS": "80"}
        )
    assert (done.returncode, done.stderr) == (0, "")
    head, counts, *tables = done.stdout.split("\n\n")[0].splitlines() + done.stdout.split("\n\n")[1:]
    assert head.startswith("eacf top  ")
    assert counts.startswith("1 worker, 1 Zeek process; ")
    by_title = {table.split()[0]: [line.split() for line in table.splitlines()[1:]] for table in tables}
    assert list(by_title) in (
        ["workers", "zeek", "labels"],
        ["workers", "zeek", "!", "labels"],
    )  # "!": no worker at first
    (worker,), (zeek,) = by_title["workers"], by_title["zeek"]
    assert float(worker[1]) > 1  # flows a second
    assert float(zeek[1]) > 1
    assert (worker[5], zeek[5]) == ("0", "0")  # lost, shed
    assert {row[0] for row in by_title["labels"]} <= {"web-page", "code-fetch", "api-polling"}
    assert sum(float(row[1]) for row in by_title["labels"]) > 1
