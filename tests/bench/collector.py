"""The collector beside nfstream on one capture, and its memory on a gigabyte."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import time
from pathlib import Path

PACKETS = 250_000
GIGABYTE = 1_000_000_000
RUNS = 3
CORE = 0

OURS = """
import sys, time
from eacf.collector import collect
begun = time.perf_counter()
flows = sum(1 for _ in collect(sys.argv[1]))
print(time.perf_counter() - begun, flows)
"""
# No deep inspection, no statistics, one meter process: the least that nfstream can do.
NFSTREAM = """
import sys, time
from nfstream import NFStreamer
if __name__ == "__main__":
    begun = time.perf_counter()
    flows = sum(1 for _ in NFStreamer(source=sys.argv[1], n_dissections=0, statistical_analysis=False, n_meters=1))
    print(time.perf_counter() - begun, flows)
"""
PEAK = """
import sys, resource
from eacf.collector import collect
flows = sum(1 for _ in collect("-"))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000, flows)
"""


def measure(work: Path) -> dict[str, float]:
    """Figures ``collector.*``; the capture is made once and kept in `work`."""
    capture = work / f"tls-{PACKETS}.pcap"
    if not capture.exists():
        make(capture)
    ours, theirs = [], []
    for _ in range(RUNS):  # taken in turns, so that both meet the same noise
        ours.append(seconds(work, "ours", OURS, capture))
        theirs.append(seconds(work, "nfstream", NFSTREAM, capture))
    return {
        "collector.packets_per_second": PACKETS / min(ours),
        "collector.nfstream_packets_per_second": PACKETS / min(theirs),
        "collector.over_nfstream": min(theirs) / min(ours),
        "collector.peak_mb": peak_mb(work, capture),
    }


def make(capture: Path) -> None:
    """A capture of PACKETS packets: TLS of all testbed applications with a little of everything else."""
    beside = capture.with_suffix(".partial")
    command = [sys.executable, "-m", "eacf_trainer.testbed", str(beside), "--seed", "5000", "--packets", str(PACKETS)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    beside.replace(capture)


def seconds(work: Path, name: str, program: str, capture: Path) -> float:
    """Wall time inside the program, imports left out, on one core (children too)."""
    # A file, since nfstream's child processes import it again; not by its module's name, which it would hide.
    script = work / f"run_{name}.py"
    script.write_text(program)
    out = subprocess.run(
        [sys.executable, str(script), str(capture)], check=True, capture_output=True, text=True, preexec_fn=pin
    ).stdout
    return float(out.splitlines()[-1].split()[0])  # nfstream prints warnings before


def pin() -> None:
    os.sched_setaffinity(0, {CORE})


def peak_mb(work: Path, capture: Path) -> float:
    """Highest resident memory, in MB, of a process that collects from a gigabyte of ever new connections on its standard input."""
    script = work / "peak.py"
    script.write_text(PEAK)
    with subprocess.Popen([sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as reader:
        assert reader.stdin is not None
        assert reader.stdout is not None
        pour(capture, reader.stdin)
        reader.stdin.close()
        return float(reader.stdout.read().split()[0])


def pour(capture: Path, into: object) -> None:
    """Repeat `capture` until a gigabyte has gone into `into`, each turn an hour later and between other hosts."""
    data = capture.read_bytes()
    header, body = data[:24], bytearray(data[24:])
    starts = []
    offset = 0
    while offset < len(body):
        starts.append(offset)
        offset += 16 + struct.unpack_from("<I", body, offset + 8)[0]
    into.write(header)  # type: ignore[attr-defined]
    poured = 0
    while poured < GIGABYTE:
        into.write(body)  # type: ignore[attr-defined]
        poured += len(body)
        for start in starts:
            second = struct.unpack_from("<I", body, start)[0]
            struct.pack_into("<I", body, start, second + 3600)
            if body[start + 28 : start + 30] == b"\x08\x00":  # IPv4: the second byte of both addresses
                body[start + 43] = (body[start + 43] + 1) & 0xFF
                body[start + 47] = (body[start + 47] + 1) & 0xFF


if __name__ == "__main__":
    begun = time.perf_counter()
    print(measure(Path(sys.argv[1])), time.perf_counter() - begun)
