"""How fast the database of samples is, and how large: ``python tests/samples/bench.py [FOLDER]``. No test; two minutes.

Each line: samples a second of CPU time, the longest commit, rows, size of the file, bytes a row, memory of the process.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import Path

import psutil

from eacf.flow import Chunk, Sample
from eacf.samples import Keeper, Limits, Store

SECOND = 1_000_000_000
NOW = 1_700_000_000 * SECOND
RATE = 2000


def flow(number: int, payload: int = 0) -> Sample:
    ends = (IPv4Address(0x0A000000 + random.randrange(1000)), 5000, IPv4Address("192.0.2.1"), 443)
    chunks = [Chunk(1000, True, 5)] * 3 if payload else []
    records = [random.randrange(-1400, 1400) for _ in range(16)]
    name = f"www{number % 20}.example{number % 97}.com"
    return Sample(f"C{number:017d}", NOW + number, *ends, name, os.urandom(payload), chunks, records)


def run(
    what: str,
    path: Path,
    count: int,
    limits: Limits,
    pool: list[Sample],
    label: Callable[[int], str],
    batch: int = RATE,
) -> None:
    for file in path.parent.iterdir():
        file.unlink()
    keeper = Keeper.begin(path, limits, seed=1)
    used, longest = time.process_time(), 0.0
    for at in range(0, count, batch):
        now = at * SECOND // RATE
        for number in range(at, at + batch):
            keeper.add(pool[number % len(pool)], label=label(number), sensor="zeek", mono_ns=now)
        began = time.perf_counter()
        keeper.commit(NOW + now, now)
        longest = max(longest, time.perf_counter() - began)
    used = time.process_time() - used
    keeper.wipe()
    size = path.stat().st_size
    print(
        f"{what}: {count / used:,.0f} samples/s, longest commit {longest:.2f} s, {keeper.rows:,} rows, {size / 1e6:.1f} MB,"
        f" {size / keeper.rows:.0f} bytes a row, {psutil.Process().memory_info().rss / 1e6:.0f} MB",
        flush=True,
    )
    keeper.close()


def main(folder: Path) -> None:
    path = folder / "samples.db"
    pool = [flow(number) for number in range(20_000)]
    run("labels full", path, 400_000, Limits(rows_per_label=500), pool, lambda number: f"l{number % 97}")
    small = Limits(rows_per_label=10**6, bytes=64 << 20)
    run("file full, 64 MiB", path, 800_000, small, pool, lambda number: f"l{number * number % 97}")
    run("a new label each", path, 200_000, Limits(), pool, lambda number: f"l{number}")
    heavy = [flow(number, 3000) for number in range(2000)]
    run("payload, labels full", path, 60_000, Limits(rows_per_label=200), heavy, lambda number: f"l{number % 97}")
    large = Limits(rows_per_label=10**6)
    run("new rows", path, 2_000_000, large, pool, lambda number: f"l{number % 1000}", 20_000)
    began = time.perf_counter()
    keeper = Keeper.begin(path, large)
    opened = time.perf_counter()
    keeper.commit(NOW, NOW)
    print(f"of these: opened in {opened - began:.1f} s, first commit {time.perf_counter() - opened:.1f} s", end=", ")
    keeper.close()
    began = time.perf_counter()
    with Store.open(path, readonly=True) as store:
        count = sum(1 for _ in store.read())
    print(f"{count / (time.perf_counter() - began):,.0f} samples/s read")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as made:
            main(Path(made))
