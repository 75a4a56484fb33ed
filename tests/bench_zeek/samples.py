"""The samples that the package sends for the recorded captures, at the contract's default needs, held against the recordings."""

from __future__ import annotations

import gzip
import json
import os
import secrets
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import service
from figures import Figures
from machine import SHARED, Machine, VoidError, say
from sensor import LIMIT_S, plain

from eacf.bus import Endpoints, Peer
from eacf.flow import Needs, Sample
from eacf.verdict import Verdict
from eacf.wire import ZEEK_TOPIC, Flows, Who, decode_message, encode_hello, encode_verdicts, flow_topic

MODEL = "0" * 12
LOOK_S = 0.05
AT_ONCE = 512
SHOWN = 10

Flow = dict[str, Any]


def measure(machine: Machine, figures: Figures) -> None:
    """Figures ``samples.*``."""
    with figures.of("samples.identical_share"):
        recordings = sorted((SHARED / "zeek-wire" / "samples").rglob("*.jsonl.gz"))
        if not recordings:
            raise VoidError(f"no recordings in {SHARED}; set EACF_SHARED to where they are")
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            found = list(pool.map(lambda recording: compare(machine, recording), recordings))
        equal, total = sum(each[0] for each in found), sum(each[1] for each in found)
        differing = [f"{each[2]}: {each[1] - each[0]} of {each[1]}" for each in found if each[0] != each[1]]
        say(f"  {equal} of {total} flows, {len(differing)} captures differ: {differing[:SHOWN]}")
        figures.values |= {
            "samples.identical_share": equal / total,
            "samples.captures": len(found),
            "samples.captures_that_differ": len(differing),
            "samples.flows": total,
        }


def compare(machine: Machine, recording: Path) -> tuple[int, int, str]:
    """(flows that are equal, flows of either side, capture)."""
    name = str(recording.relative_to(SHARED / "zeek-wire" / "samples")).removesuffix(".jsonl.gz")
    sent = [content(sample) for sample in collected(machine, SHARED / "pcaps" / name)]
    left = list(recorded(recording))
    equal = 0
    for flow in sent:
        if flow in left:
            left.remove(flow)
            equal += 1
    return equal, equal + len(left) + len(sent) - equal, name


def recorded(path: Path) -> Iterator[Flow]:
    with gzip.open(path, "rt") as lines:
        for line in lines:
            message = decode_message(bytes.fromhex(json.loads(line)["body_hex"]))
            assert isinstance(message, Flows)
            yield from map(content, message.samples)


def content(sample: Sample) -> Flow:
    """What must be equal; the uid differs by nature."""
    return {name: getattr(sample, name) for name in sample.__slots__ if name != "uid"}


def collected(machine: Machine, capture: Path) -> list[Sample]:
    """What Zeek sends to a worker that needs the contract's default, which answers each flow."""
    with machine.folder() as folder, service.private() as endpoints:
        with (folder / "out").open("wb") as out:
            process = subprocess.Popen(
                [machine.zeek, "-C", "-r", capture, machine.package],
                cwd=folder,
                env=plain() | endpoints,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        try:
            bus = Endpoints(endpoints["EACF_SUBSCRIBE_ENDPOINT"], endpoints["EACF_PUBLISH_ENDPOINT"])
            samples = answer(bus, process)
        finally:
            process.kill()
            process.wait()
        if process.returncode != 0:
            raise VoidError(f"{capture}: zeek ended with status {process.returncode}; its words are in {folder}/out")
        return samples


def answer(bus: Endpoints, zeek: subprocess.Popen[bytes]) -> list[Sample]:
    """Be a worker until Zeek has ended; the samples that came."""
    worker, samples = secrets.token_hex(6), []
    hello = encode_hello(worker, MODEL, Needs())
    until = time.monotonic() + LIMIT_S
    with Peer(bus, f"eacf-worker-{worker}", [flow_topic(worker)], watch=True) as peer:
        while zeek.poll() is None:
            if time.monotonic() > until:
                raise VoidError(f"zeek did not end within {LIMIT_S:g} s")
            peer.wait(LOOK_S)
            if any(added and ZEEK_TOPIC.startswith(topic) for added, topic in peer.subscriptions()):
                peer.send(ZEEK_TOPIC, hello)
            for frames in peer.receive(AT_ONCE):
                message = decode_message(frames[3])
                if isinstance(message, Who):
                    peer.send(ZEEK_TOPIC, hello)
                elif isinstance(message, Flows):
                    samples += message.samples
                    verdicts = [Verdict(each.uid, "bench", 1.0, MODEL) for each in message.samples]
                    peer.send(message.reply_to.encode(), encode_verdicts(worker, verdicts))
    return samples
