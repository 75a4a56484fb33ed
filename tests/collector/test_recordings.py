"""The whole collector against a real Zeek: each recorded flow, one by one, and captures made to break readers."""

from __future__ import annotations

import gzip
import json
import random
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from eacf.collector import CaptureError, Collector, collect
from eacf.flow import Needs, Sample
from eacf.wire import Flows, decode_message

RECORDS = Needs(0, 0, 8, False)
SECONDS_PER_CAPTURE = 20
"""The largest takes under one; the rest is for a machine that is busy."""
GIVEN_UP = 6
"""Captures that Zeek gave up on (cut short, several link types): there is nothing to hold ours against."""

Flow = dict[str, Any]


def captures(shared: Path, part: str) -> list[Path]:
    found = [path for path in (shared / "pcaps" / part).rglob("*") if path.is_file() and path.suffix != ".csv"]
    return sorted(found)


def recorded(path: Path) -> list[Flow]:
    flows = []
    with gzip.open(path, "rt") as lines:
        for line in lines:
            message = decode_message(bytes.fromhex(json.loads(line)["body_hex"]))
            assert isinstance(message, Flows)
            flows += [content(sample) for sample in message.samples]
    return flows


def content(sample: Sample) -> Flow:
    """What must be equal; the uid differs by nature."""
    return {name: getattr(sample, name) for name in sample.__slots__ if name != "uid"}


def told(shared: Path, part: str) -> dict[str, list[Flow]]:
    """By capture, what Zeek's own TLS analyzer told."""
    found: dict[str, list[Flow]] = defaultdict(list)
    with gzip.open(shared / "zeek-wire" / "records-only.jsonl.gz", "rt") as lines:
        for line in lines:
            flow = json.loads(line)
            if flow["capture"].startswith(part):
                flow["start"] = round(flow["start"] * 1e6)
                found[flow.pop("capture")].append({name: value for name, value in flow.items() if name != "uid"})
    return found


def brief(sample: Sample) -> Flow:
    flow = content(sample)
    del flow["payload"], flow["chunks"]
    flow["start"] = round(flow.pop("start_ns") / 1e3)
    return flow | {"orig_h": str(sample.orig_h), "resp_h": str(sample.resp_h)}


def same(ours: list[Flow], theirs: list[Flow]) -> tuple[int, int]:
    """(flows that are equal, flows of either side)."""
    left = list(theirs)
    equal = 0
    for flow in ours:
        if flow in left:
            left.remove(flow)
            equal += 1
    return equal, len(ours) + len(theirs) - equal


def compared(shared: Path, part: str) -> Iterator[tuple[str, list[Flow], list[Flow], list[Flow], list[Flow]]]:
    """For each capture with a recording: our flows and theirs, by the stream and by records only."""
    expected = told(shared, part)
    for path in captures(shared, part):
        name = str(path.relative_to(shared / "pcaps"))
        recording = shared / "zeek-wire" / "samples" / f"{name}.jsonl.gz"
        begun = time.monotonic()
        found = list(collect(path, also=RECORDS))
        assert time.monotonic() - begun < SECONDS_PER_CAPTURE, name
        if recording.exists():
            stream = [content(one.sample) for one in found if not one.also]
            records = [brief(one.sample) for one in found if one.also]
            yield name, stream, recorded(recording), records, [{"server_name": None} | one for one in expected[name]]


@pytest.mark.parametrize(("part", "stream_bar", "records_bar"), [("apps", 0.995, 0.99), ("odd", 0.97, 0.95)])
def test_recorded_flows_one_by_one(shared: Path, part: str, stream_bar: float, records_bar: float) -> None:
    streams, records = [0, 0], [0, 0]
    differing = []
    for name, ours, theirs, our_records, their_records in compared(shared, part):
        for total, (equal, all_) in ((streams, same(ours, theirs)), (records, same(our_records, their_records))):
            total[0] += equal
            total[1] += all_
            if equal != all_:
                differing.append(f"{name}: {all_ - equal} of {all_}")
    print(
        f"{part}: {streams[0]} of {streams[1]} flows, {records[0]} of {records[1]} by records only; differing: {differing}"
    )
    assert streams[0] >= stream_bar * streams[1], differing
    assert records[0] >= records_bar * records[1], differing


def test_no_capture_is_left_out(shared: Path) -> None:
    """All of `odd/` are read above; those without a recording give what they hold."""
    without = [
        path
        for path in captures(shared, "odd")
        if not (shared / "zeek-wire" / "samples" / f"{path.relative_to(shared / 'pcaps')}.jsonl.gz").exists()
    ]
    assert len(without) == GIVEN_UP
    for path in without:
        collector = Collector()
        list(collect(path, collector=collector))
        assert collector.counters.packets > 0


def test_real_captures_with_bytes_changed(shared: Path) -> None:
    """A few of each kind of file, each changed at random places and cut: nothing but CaptureError, and in time."""
    rng = random.Random(11)
    paths = [path for path in captures(shared, "odd") if path.stat().st_size < 60_000]
    for path in rng.sample(paths, min(120, len(paths))):
        raw = bytearray(path.read_bytes())
        for _ in range(rng.randrange(1, 200)):
            raw[rng.randrange(len(raw))] = rng.randrange(256)
        begun = time.monotonic()
        with suppress(CaptureError):
            list(collect(BytesIO(bytes(raw[: rng.randrange(len(raw))])), also=RECORDS))
        assert time.monotonic() - begun < SECONDS_PER_CAPTURE, path
