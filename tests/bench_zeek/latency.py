"""Verdict latency on a live interface: real TLS clients and servers over a veth pair, Zeek on the clients' end.

Zeek and the worker run as an operator runs them, with every setting at its default, in the clients' namespace, where Zeek's
loopback ports are nobody else's (without namespaces: on endpoints of their own). The load runs beside the worker, at the lowest
priority.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import bundles
import network
import service
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from figures import Figures
from machine import HERE, Machine, VoidError
from sensor import LAST_WORDS, plain

RATE = 500.0
"""New connections, and so flows, a second."""
SECONDS = 20.0
PORT = 44_443
"""Any will do: TLS is known by its looks."""
FULL_SHARE = 0.95
"""Of the connections that the rate and the time make; a load that falls behind is another load."""
START_S, SETTLE_S = 30.0, 2.0
LOAD = HERE / "load.py"
NICE = ("nice", "-n", "19")


def measure(machine: Machine, figures: Figures) -> None:
    """Figures ``verdict_*``."""
    with (
        figures.of("verdict_p99_ms"),
        network.hosts() as (client, server),
        machine.folder() as folder,
        ExitStack() as stack,
    ):
        endpoints = {} if client.name else stack.enter_context(service.private())
        with (
            service.worker(machine, bundles.records(), endpoints, client.inside),
            live(machine, client, folder, endpoints),
        ):
            load = offer(machine, client, server, folder)
            time.sleep(SETTLE_S)
        first, *flows = (folder / "latencies").read_text().splitlines()
        latencies = check(load, first, flows)
        for share in (50, 90, 99):
            figures.values[f"verdict_p{share}_ms"] = latencies[len(latencies) * share // 100] * 1e3
        figures.values |= {
            "verdict_most_ms": latencies[-1] * 1e3,
            "verdict_flows": len(latencies),
            "verdict_flows_per_second": load["opened"] / SECONDS,
            "verdict_load_late_ms": load["late_ms"],
        }


@contextmanager
def live(machine: Machine, host: network.Host, folder: Path, endpoints: Mapping[str, str]) -> Iterator[None]:
    """Zeek on the host's interface, from when a worker has said hello until SIGTERM and its end."""
    core = {machine.zeek_core}
    with (folder / "out").open("wb") as out:
        process = subprocess.Popen(
            [*host.inside, machine.zeek, "-C", "-i", host.interface, machine.package, HERE / "latency.zeek"],
            cwd=folder,
            env={**plain(), **endpoints},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            preexec_fn=lambda: os.sched_setaffinity(0, core),
        )
    try:
        until = time.monotonic() + START_S
        while not (folder / "ready").exists():
            if process.poll() is not None or time.monotonic() > until:
                raise VoidError(
                    f"no worker came up; Zeek's words ({folder}):\n{(folder / 'out').read_text()[-LAST_WORDS:]}"
                )
            time.sleep(0.1)
        yield
        process.send_signal(signal.SIGTERM)
        if process.wait(START_S) != 0:
            raise VoidError(f"zeek ended with status {process.returncode}; its logs are in {folder}")
    finally:
        process.kill()
        process.wait()


def offer(machine: Machine, client: network.Host, server: network.Host, folder: Path) -> dict[str, float]:
    """The load, until it is over; what the client says of it."""
    pem = folder / "server.pem"
    pem.write_bytes(certificate())
    cores = machine.other_cores

    def program(host: network.Host, *arguments: str) -> list[str]:
        return [*NICE, *host.inside, sys.executable, str(LOAD), *arguments]

    with subprocess.Popen(
        program(server, "server", server.address, str(PORT), str(pem)),
        stdout=subprocess.PIPE,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    ) as serving:
        try:
            assert serving.stdout is not None
            serving.stdout.readline()
            said = subprocess.run(
                program(client, "client", server.address, str(PORT), str(RATE), str(SECONDS)),
                check=True,
                capture_output=True,
                text=True,
                preexec_fn=lambda: os.sched_setaffinity(0, cores),
            ).stdout
        finally:
            serving.terminate()
    told: dict[str, float] = json.loads(said)
    return told


def check(load: dict[str, float], first: str, flows: list[str]) -> list[float]:
    """The latencies in order. VoidError unless the load was what it should be and every connection was measured."""
    _, received, _, dropped = first.split()
    if load["failed"] or load["opened"] < RATE * SECONDS * FULL_SHARE:
        raise VoidError(f"the load fell behind: {load}")
    if int(dropped):
        raise VoidError(f"Zeek's interface dropped {dropped} packets, {received} were received")
    without = Counter(flow for flow in flows if not flow[0].isdigit() and flow[0] != "-")
    latencies = sorted(float(flow) for flow in flows if flow not in without)
    if len(latencies) != load["opened"]:
        raise VoidError(f"{len(latencies)} of {load['opened']} flows measured; the others: {dict(without)}")
    return latencies


def certificate() -> bytes:
    """A server's key (ECDSA, the cheapest to sign with) and its certificate for itself, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bench.example")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private + made.public_bytes(serialization.Encoding.PEM)
