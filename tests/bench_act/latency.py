"""From the packet that completes a sample to the first packet of its connection that carries the mark, or is dropped.

Connections of the testbed are played as packets: the client's from the client's namespace, the server's from the server's, both
forwarded by the gateway's kernel. Zeek (live, on the gateway's inside interface), a worker and the agent are as an operator starts them;
the policy gives a DSCP to half of the labels, and to `unknown`, and blocks the other half. As soon as a connection's sample is complete it
goes on with empty segments, one each 2 ms, numbered in the IPv4 header. Which of them arrive at the server, and with which DSCP, says when
the act was there: the figure is the time from the sending of the packet that completed the sample to that of the first segment that was
marked or dropped, so that what is measured is up to 2 ms more than what was.
"""

from __future__ import annotations

import heapq
import json
import multiprocessing
import select
import socket
import statistics
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any

import dpkt
import network
from programs import EACF, mac, program, reports, until, wire

from eacf.errors import SettingError
from eacf.sensor import zeek_scripts
from eacf_trainer.testbed import generate

A_SECOND, SECONDS = 200, 40
WARM_S = 3.0
"""Flows of the first seconds are played and not counted: everything is cold."""
KINDS_DSCP = ("web-page", "video", "mail-sync", "api-polling")
KINDS_BLOCK = ("code-fetch", "bulk-upload", "dns-over-https", "chat")
DSCP = 34
RECORDS = 8
"""What the bundle `testbed` needs: the sample is complete with the last byte of that many application-data records."""
SPACING_S = 0.0005
PROBES_S = tuple([n * 0.002 for n in range(1, 21)] + [0.04 + n * 0.01 for n in range(1, 17)])
"""When empty segments follow, after the packet that completes the sample."""
BASE_FLOWS = 500
CLIENTS = "198.18.64.0/18"
SERVERS = "198.19.0.0/16"
APPLICATION_DATA = 23
SO_RCVBUFFORCE = 33
"""asm-generic/socket.h; Python has no name for it."""
POLICY = 'mode = "act"\n[bounds]\nrules = 60000\nrules_per_second = 5000\n[unknown]\ndscp = "af41"\n' + "".join(
    [f'[label.{kind}]\ndscp = "af41"\nconfidence = 0.0\n' for kind in KINDS_DSCP]
    + [f"[label.{kind}]\nblock = true\nconfidence = 0.0\n" for kind in KINDS_BLOCK]
)

Key = tuple[bytes, int]
"""Address and port of a client: each flow has its own."""


@dataclass(frozen=True)
class Play:
    """The packets of one connection up to the one that completes its sample, then the empty one that is repeated."""

    frames: tuple[tuple[bool, bytes], ...]
    """(from the client?, the frame without its Ethernet header)."""


def measure(home: Path) -> dict[str, Any]:
    """Figures ``act_*``."""
    plays = _plays(home)
    policy, logs = home / "policy.toml", home / "zeek"
    policy.write_text(POLICY)
    logs.mkdir()
    with ExitStack() as stack:
        made = stack.enter_context(network.namespaces())
        gateway = network.inside(made.gateway)
        _routes(made)

        def start(name: str, *command: str, folder: Path | None = None) -> None:
            stack.enter_context(program(home / f"{name}.log", *gateway, *command, folder=folder))

        start("worker", *EACF, "worker", "--bundle", "testbed")
        start("enforce", *EACF, "enforce", "--policy", str(policy))
        sensor = ["zeek", "-C", "-i", network.LAN, str(zeek_scripts()), "LogAscii::use_json=T"]
        start("zeek", *sensor, f"EACF::policy_file={policy}", folder=logs)
        until(lambda: _ready(made.gateway, logs), f"Zeek, the worker and the agent did not find each other; see {home}")
        receiver, pipe = _receiver(made.server)
        sent = _send(made, plays)
        time.sleep(1)
        pipe.send(None)
        arrived: dict[Key, dict[int, int]] = pipe.recv()
        receiver.join()
        time.sleep(6)  # whatever had no answer is written by then
    return _figures(sent, arrived, logs)


def _plays(home: Path) -> list[Play]:
    """Connections of all applications, over IPv4, that are long enough to complete a sample."""
    capture = home / "flows.pcap"
    generate(capture, seed=71, connections=BASE_FLOWS, conditions="lan", sites="bench-act")
    flows: dict[frozenset[tuple[bytes, int]], list[tuple[bool, bytes]]] = {}
    with capture.open("rb") as file:
        for _, frame in dpkt.pcap.Reader(file):
            if frame[12:14] != b"\x08\x00":
                continue
            packet = frame[14:]
            source, target = _ends(packet)
            from_client = source[1] > 1024
            flows.setdefault(frozenset((source, target)), []).append((from_client, packet))
    plays = [play for frames in flows.values() if (play := _cut(frames)) is not None]
    capture.unlink()
    if len(plays) < BASE_FLOWS // 4:
        raise SettingError(f"only {len(plays)} of {BASE_FLOWS} made-up connections have {RECORDS} records")
    return plays


def _ends(packet: bytes) -> tuple[tuple[bytes, int], tuple[bytes, int]]:
    ports = struct.unpack_from("!HH", packet, 20)
    return (packet[12:16], ports[0]), (packet[16:20], ports[1])


def _cut(frames: list[tuple[bool, bytes]]) -> Play | None:
    """Up to the packet with the last byte of record number RECORDS; None where there is none."""
    streams = {True: b"", False: b""}
    records = 0
    for number, (from_client, packet) in enumerate(frames):
        data = packet[20 + (packet[32] >> 4) * 4 :]
        stream = streams[from_client] + data
        while len(stream) >= 5 and len(stream) >= 5 + int.from_bytes(stream[3:5], "big"):
            records += stream[0] == APPLICATION_DATA
            stream = stream[5 + int.from_bytes(stream[3:5], "big") :]
        streams[from_client] = stream
        if records >= RECORDS:
            return Play(tuple(frames[: number + 1]))
    return None


def _routes(made: network.Namespaces) -> None:
    """Clients and servers that are nobody's addresses; packets to them end in the namespaces, unanswered."""
    for subnet, via, interface, host in (
        (CLIENTS, network.CLIENT, network.LAN, made.client),
        (SERVERS, network.SERVER, network.WAN, made.server),
    ):
        lladdr = mac(host, "eth0").hex(":")
        neighbour = ("neigh", "replace", via, "lladdr", lladdr, "dev", interface)
        network.command("ip", "-n", made.gateway, *neighbour)
        network.command("ip", "-n", made.gateway, "route", "add", subnet, "via", via, "dev", interface)
    for key in ("all", network.LAN, network.WAN):
        network.command(*network.inside(made.gateway), "sysctl", "-qw", f"net.ipv4.conf.{key}.rp_filter=0")


def _ready(gateway: str, logs: Path) -> bool:
    said = reports(gateway)
    zeek = next((each for each in said if each.get("kind") == "zeek"), None)
    if zeek is None or not any(each["state"] == "ready" for each in zeek["workers"]):
        return False
    return any(each.get("kind") == "enforce" for each in said) and (logs / "packet_filter.log").exists()


def _send(made: network.Namespaces, plays: list[Play]) -> dict[Key, list[float]]:
    """Play A_SECOND connections a second. By flow: when its last packet of the sample went out, then when each empty one did."""
    lan, wan = wire(made.client), wire(made.server)
    to_gateway = {
        True: mac(made.gateway, network.LAN) + mac(made.client, "eth0") + b"\x08\x00",
        False: mac(made.gateway, network.WAN) + mac(made.server, "eth0") + b"\x08\x00",
    }
    sockets = {True: lan, False: wan}
    sent: dict[Key, list[float]] = {}
    begin = time.monotonic() + 0.5
    due: list[tuple[float, int, Iterator[float]]] = []
    for number in range(A_SECOND * SECONDS):
        flow = _flow(plays[number % len(plays)], number, to_gateway, sockets, sent)
        due.append((begin + number / A_SECOND, number, flow))
    heapq.heapify(due)
    while due:
        at, number, flow = due[0]
        if (wait := at - time.monotonic()) > 0:
            time.sleep(wait)
        after = next(flow, None)
        if after is None:
            heapq.heappop(due)
        else:
            heapq.heapreplace(due, (after, number, flow))
    for each in (lan, wan):
        each.close()
    return sent


def _flow(
    play: Play,
    number: int,
    heads: dict[bool, bytes],
    sockets: dict[bool, socket.socket],
    sent: dict[Key, list[float]],
) -> Iterator[float]:
    """Sends one packet each time, and says when the next is due."""
    client = struct.pack("!I", (198 << 24) + (18 << 16) + (64 << 8) + number % 16_000 + 1)
    port = 32_768 + number % 28_000
    key = (client, port)
    for from_client, packet in play.frames:
        now = time.monotonic()
        sockets[from_client].send(heads[from_client] + _readdressed(packet, from_client, client, port))
        yield now + SPACING_S
    times = [now]
    sent[key] = times
    empty = next(packet for from_client, packet in play.frames[2:] if from_client)[:40]
    for probe, offset in enumerate(PROBES_S, 1):
        yield times[0] + offset
        times.append(time.monotonic())
        sockets[True].send(heads[True] + _readdressed(empty, True, client, port, probe))


def _readdressed(packet: bytes, from_client: bool, client: bytes, port: int, probe: int = 0) -> bytes:
    """The same packet of another client. The TCP checksum is left wrong, which neither gateway nor `zeek -C` looks at."""
    changed = bytearray(packet)
    if from_client:
        changed[12:16] = client
        changed[20:22] = port.to_bytes(2, "big")
    else:
        changed[16:20] = client
        changed[22:24] = port.to_bytes(2, "big")
    changed[2:4] = len(packet).to_bytes(2, "big")
    changed[4:6] = probe.to_bytes(2, "big")
    changed[10:12] = b"\0\0"
    changed[10:12] = dpkt.in_cksum(bytes(changed[:20])).to_bytes(2, "big")
    return bytes(changed)


def _receiver(server: str) -> tuple[multiprocessing.Process, Pipe]:
    """A process that notes the numbered segments which come to the server."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.Process(target=_receive, args=(wire(server), theirs), daemon=True)
    process.start()
    return process, ours


def _receive(end: socket.socket, pipe: Pipe) -> None:
    """By flow: DSCP of each numbered segment that arrived."""
    end.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
    end.setblocking(False)
    arrived: dict[Key, dict[int, int]] = {}
    poller = select.poll()
    poller.register(end, select.POLLIN)
    poller.register(pipe.fileno(), select.POLLIN)
    while True:
        ready = [descriptor for descriptor, _ in poller.poll()]
        if end.fileno() in ready:
            for _ in range(256):
                try:
                    frame, (_, _, kind, *_) = end.recvfrom(80)
                except BlockingIOError:
                    break
                if kind == socket.PACKET_OUTGOING or frame[12:14] != b"\x08\x00":
                    continue
                probe = int.from_bytes(frame[18:20], "big")
                if probe:
                    key = (frame[26:30], int.from_bytes(frame[34:36], "big"))
                    arrived.setdefault(key, {})[probe] = frame[15] >> 2
        elif pipe.fileno() in ready:
            pipe.recv()
            pipe.send(arrived)
            return


def _figures(sent: dict[Key, list[float]], arrived: dict[Key, dict[int, int]], logs: Path) -> dict[str, Any]:
    marked: list[float] = []
    dropped: list[float] = []
    missing = 0
    began = min(times[0] for times in sent.values())
    for key, (completed, *probes) in sent.items():
        if completed - began < WARM_S:
            continue
        came = arrived.get(key, {})
        last = max(came, default=0)
        first_marked = min((number for number, dscp in came.items() if dscp == DSCP), default=None)
        if first_marked is not None:
            marked.append(probes[first_marked - 1] - completed)
        elif last < len(probes):
            dropped.append(probes[last] - completed)
        else:
            missing += 1
    both = marked + dropped
    actions = [json.loads(line) for line in (logs / "eacf_actions.log").read_text().splitlines()]
    told = sorted(line["latency"] for line in actions if line.get("latency") is not None)
    return {
        "act_flows": len(both) + missing,
        "act_flows_per_s": A_SECOND,
        "act_missing": missing,
        "act_p50_ms": 1e3 * statistics.median(both),
        "act_p99_ms": 1e3 * _quantile(both, 0.99),
        "act_max_ms": 1e3 * max(both),
        "act_mark_p99_ms": 1e3 * _quantile(marked, 0.99),
        "act_drop_p99_ms": 1e3 * _quantile(dropped, 0.99),
        "act_marked": len(marked),
        "act_dropped": len(dropped),
        "act_zeek_to_answer_p99_ms": 1e3 * _quantile(told, 0.99),
        "act_probe_step_ms": 1e3 * PROBES_S[0],
    }


def _quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] if values else float("nan")
