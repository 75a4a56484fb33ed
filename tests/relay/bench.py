"""What the relay costs: ``python tests/relay/bench.py``. A peer sends samples to one that answers each message with verdicts, over
the bus of one machine directly, and with the answering one behind an `eacf relay` (CURVE, loopback TCP)."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import threading
import time
from ipaddress import IPv4Address
from pathlib import Path

import psutil

from eacf import curve
from eacf.bus import EmbeddedBus, Endpoints, Peer
from eacf.flow import Chunk, Sample
from eacf.verdict import Verdict
from eacf.wire import encode_flows, encode_verdicts, flow_topic, verdict_topic

WORKER, ZEEK = flow_topic("a" * 12), verdict_topic("zeek")
SECONDS = 4.0
HOME = IPv4Address("192.0.2.1")


def sample(payload: int) -> Sample:
    """With 3,000 bytes of payload, or record lengths alone."""
    chunks = [Chunk(payload // 4, True, 1000)] * 4 if payload else []
    return Sample("C0123456789abcdef", 1, HOME, 50_000, HOME, 443, "www.example.com", bytes(payload), chunks, [500] * 8)


def answer(where: Endpoints, flows: int, ended: threading.Event) -> None:
    body = encode_verdicts("a" * 12, [Verdict("C0123456789abcdef", "label", 0.9, "model", None, "label")] * flows)
    with Peer(where, "worker", [WORKER], watch=True) as peer:
        while not ended.is_set():
            peer.wait(0.05)
            for _ in peer.receive(100):
                peer.send(ZEEK, body)


def rounds(bus: EmbeddedBus, where: Endpoints, payload: int, flows: int, rate: float | None) -> str:
    """`rate`: messages a second; None: as many as go, 64 on their way."""
    ended = threading.Event()
    thread = threading.Thread(target=answer, args=(where, flows, ended))
    thread.start()
    body = encode_flows(ZEEK.decode(), [sample(payload)] * flows)
    with Peer(bus.endpoints, "zeek", [ZEEK], watch=True) as zeek:
        while not any(added and topic == WORKER for added, topic in zeek.subscriptions()):
            zeek.wait(0.05)
        time.sleep(0.5)
        sent: list[float] = []
        took: list[float] = []
        start = time.perf_counter()
        while (now := time.perf_counter()) < start + SECONDS or len(took) < len(sent):
            assert now < start + SECONDS + 10, f"{len(sent) - len(took)} messages lost"
            open_for_more = now < start + SECONDS
            due = len(sent) - len(took) < 64 if rate is None else now >= start + len(sent) / rate
            if due and open_for_more:
                sent.append(now)
                assert zeek.send(WORKER, body)
            else:
                zeek.wait(0.0005)
            for _ in zeek.receive(100):
                took.append(time.perf_counter() - sent[len(took)])
        spent = time.perf_counter() - start
    ended.set()
    thread.join()
    ms = sorted(1000 * each for each in took)
    return f"{len(took) * flows / spent:9,.0f} flows/s   p50 {statistics.median(ms):.2f} ms   p99 {ms[len(ms) * 99 // 100]:.2f} ms"


def main() -> None:
    with EmbeddedBus() as bus, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "clients" / "worker").mkdir(parents=True)
        relay, secret, _ = curve.new(folder / "relay")
        own, _, public = curve.new(folder / "gpu")
        public.rename(folder / "clients" / "worker" / public.name)
        command = [sys.executable, "-m", "eacf", "relay", "--listen", "tcp://127.0.0.1:17557", "--key", str(secret)]
        command += ["--clients", str(folder / "clients"), "--subscribe-endpoint", bus.endpoints.subscribe]
        process = subprocess.Popen([*command, "--publish-endpoint", bus.endpoints.publish], stderr=subprocess.DEVNULL)
        facts = psutil.Process(process.pid)
        try:
            there = Endpoints("tcp://127.0.0.1:17557", "tcp://127.0.0.1:17558", curve.BusKeys(own, relay.public))
            for payload, flows, rate in ((0, 1, 1000.0), (3000, 1, 1000.0), (0, 16, None), (3000, 32, None)):
                speed = "as many as go" if rate is None else f"{rate:g} messages/s"
                what = f"{payload:>5} bytes of payload, {flows:>2} flows a message, {speed}"
                print(f"{what}: direct {rounds(bus, bus.endpoints, payload, flows, rate)}", flush=True)
                before, began = sum(facts.cpu_times()[:2]), time.perf_counter()
                print(f"{what}: relay  {rounds(bus, there, payload, flows, rate)}", end="", flush=True)
                cpu = (sum(facts.cpu_times()[:2]) - before) / (time.perf_counter() - began)
                print(f"   relay {cpu:.0%} of a core, {facts.memory_info().rss / 1e6:.0f} MB", flush=True)
        finally:
            process.terminate()
            process.wait()


if __name__ == "__main__":
    main()
