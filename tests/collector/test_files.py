"""Every format gives the same packets; what is not a capture is told; damage ends a file and is counted."""

from __future__ import annotations

import gzip
import io
import struct
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eacf.collector import CaptureError, Collector, Limits, collect

FORMATS: dict[str, dict[str, Any]] = {
    "pcap": {"order": "<"},
    "pcap, big-endian": {"order": ">"},
    "pcap, nanoseconds": {"order": "<", "nano": True},
    "pcap, nanoseconds, big-endian": {"order": ">", "nano": True},
    "pcapng": {"order": "<"},
    "pcapng, big-endian": {"order": ">"},
    "pcapng, nanoseconds": {"order": "<", "resolution": 9},
}


def capture(make: SimpleNamespace, name: str, packets: list[tuple[float, bytes]]) -> bytes:
    data: bytes = (make.pcapng if name.startswith("pcapng") else make.pcap)(packets, **FORMATS[name])
    return data


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_each_format_gives_the_same_sample(make: SimpleNamespace, name: str, packed: bool) -> None:
    packets = make.typical().packets
    data = capture(make, name, packets)
    samples = make.read(gzip.compress(data) if packed else data)
    assert samples == make.read(make.pcap(packets))
    (found,) = samples
    assert found.sample.start_ns == int(1_700_000_000.0 * 1e9)
    assert len(found.sample.payload) == 1300
    assert found.sample.server_name == "www.example.org"


def test_several_gzip_members_are_one_capture(make: SimpleNamespace) -> None:
    data = make.pcap(make.typical().packets)
    assert make.read(gzip.compress(data[:500]) + gzip.compress(data[500:])) == make.read(data)


def test_standard_input_by_a_dash(make: SimpleNamespace) -> None:
    program = "from eacf.collector import collect; print([c.sample.uid for c in collect('-')])"
    data = make.pcap(make.typical().packets)
    out = subprocess.run([sys.executable, "-c", program], input=data, capture_output=True, check=True)
    assert out.stdout.decode().strip() == str([c.sample.uid for c in make.read(data)])


def test_a_path_and_progress(make: SimpleNamespace, tmp_path: Path) -> None:
    data = make.pcap(make.typical().packets)
    path = tmp_path / "a.pcap"
    path.write_bytes(data)
    seen: list[int] = []
    assert list(collect(path, progress=seen.append)) == make.read(data)
    assert seen[-1] == len(data)


@pytest.mark.parametrize(
    "content", [b"", b"\xd4\xc3", b"PK\x03\x04 and so on", b"\xd4\xc3\xb2\xa1 cut", gzip.compress(b"no", mtime=0)]
)
def test_what_is_no_capture_is_told(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "odd.bin"
    path.write_bytes(content)
    with pytest.raises(CaptureError, match=r"odd\.bin"):
        list(collect(path))


def test_a_file_that_is_absent_is_told(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match=r"absent\.pcap"):
        list(collect(tmp_path / "absent.pcap"))


@pytest.mark.parametrize("name", ["pcap", "pcapng"])
def test_a_cut_file_gives_what_is_whole_and_is_counted(make: SimpleNamespace, name: str) -> None:
    data = capture(make, name, make.typical().packets)
    collector = Collector()
    assert make.read(data[:-9], collector=collector)
    assert collector.counters.damaged_files == 1
    whole = Collector()
    make.read(data, collector=whole)
    assert whole.counters.damaged_files == 0
    assert whole.counters.packets == collector.counters.packets + 1


def test_a_packet_that_claims_too_much_ends_the_file(make: SimpleNamespace) -> None:
    data = make.pcap(make.typical().packets) + struct.pack("<IIII", 1, 1, 1 << 31, 1 << 31) + bytes(100)
    collector = Collector()
    assert len(make.read(data, collector=collector)) == 1
    assert collector.counters.damaged_files == 1


def test_gzip_that_breaks_off_is_counted(make: SimpleNamespace) -> None:
    packed = gzip.compress(make.pcap(make.typical().packets))
    collector = Collector()
    make.read(packed[: len(packed) // 2], collector=collector)
    assert collector.counters.damaged_files == 1


def test_a_snapshot_length_in_the_header_cuts_packets(make: SimpleNamespace) -> None:
    """As libpcap does: here all data falls to it, and with it the sample."""
    assert make.read(make.pcap(make.typical().packets, snap=54)) == []


def test_simple_packet_blocks_have_no_time(make: SimpleNamespace) -> None:
    (found,) = make.read(make.pcapng(make.typical().packets, simple=True))
    assert found.sample.start_ns == 0


def test_sections_and_interfaces_of_other_kinds(make: SimpleNamespace) -> None:
    """Two sections of unlike byte order; packets of an interface that was not described are counted and passed over."""
    packets = make.typical().packets
    stray = make.block(">", 6, struct.pack(">IIIII", 9, 0, 0, 4, 4) + b"abcd")
    collector = Collector()
    data = make.pcapng(packets[:9], "<") + make.pcapng(packets[9:], ">") + stray
    assert make.read(data, collector=collector) == make.read(make.pcap(packets))
    assert collector.counters.dropped_interfaces == 1


def test_times_beyond_what_the_wire_can_say_are_held_there(make: SimpleNamespace) -> None:
    packets = [(time, data) for time, data in make.typical().packets]
    data = bytearray(make.pcapng(packets, resolution=6))
    at = 28 + 32  # section header, interface description
    while at < len(data):
        struct.pack_into("<I", data, at + 12, 0xFFFFFFFF)  # upper half of the time
        at += struct.unpack_from("<I", data, at + 4)[0]
    (found,) = make.read(bytes(data))
    assert 0 <= found.sample.start_ns < 2**63
    assert all(0 <= chunk.gap_ns < 2**63 for chunk in found.sample.chunks)


def test_many_small_sections_take_linear_time(make: SimpleNamespace) -> None:
    data = make.pcapng([]) * 20_000
    assert make.read(data) == []


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_mutated_captures_raise_nothing_but_capture_error(make: SimpleNamespace, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(FORMATS)))
    raw = bytearray(capture(make, name, make.typical().packets))
    for at, value in data.draw(st.lists(st.tuples(st.integers(0, len(raw) - 1), st.integers(0, 255)), max_size=12)):
        raw[at] = value
    cut = data.draw(st.integers(0, len(raw)))
    with suppress(CaptureError):
        list(collect(io.BytesIO(bytes(raw[:cut])), limits=Limits(packet_bytes=4096)))
