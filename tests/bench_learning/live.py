"""A real Zeek on a live interface, and the whole loop beside it: traffic drifts, one model is pushed, labels are right again.

Everything is as an operator starts it, in a network namespace of its own: Zeek on one end of a veth pair, `eacf worker` with the shipped
`testbed` bundle, `eacf collect`, `eacf-train watch`. The other end plays captures of the testbed, ten times as fast as they were. Root.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

FASTER = 10.0
"""How much faster the captures are played: what a think time is does not matter to record lengths."""
WEEK = 2
PHASES = (("before", 0, 1000, 601), ("drifted", WEEK, 1500, 602), ("after", WEEK, 500, 603))
"""Name, week, connections, seed."""
READY_S, UPDATE_S, SETTLE_S = 60.0, 180.0, 8.0


def measure(work: Path) -> dict[str, Any]:
    """Figures ``live.*``; none, and why, where there is no Zeek or no root."""
    import beside  # before those that it finds

    beside.find()
    import network
    from machine import VoidError

    zeek = shutil.which("zeek")
    if zeek is None:
        return {"live.void": "no zeek on the PATH"}
    home = work / "live"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    try:
        with network.wire() as (client, server):
            for host in (client, server):  # the testbed's segments are full ones, also over IPv6
                network.ip("-n", host.name, "link", "set", host.interface, "mtu", "2000")
            return Live(home, zeek, client, server).run()
    except VoidError as error:
        return {"live.void": str(error)}


class Live:
    """One run."""

    def __init__(self, home: Path, zeek: str, client: Any, server: Any) -> None:
        import parts

        self._home, self._zeek, self._client, self._server = home, zeek, client, server
        self._parts = parts
        self._key = parts.key(home)

    def run(self) -> dict[str, Any]:
        from eacf_trainer.testbed import generate
        from eacf_trainer.testbed.drift import Week

        parts = self._parts
        captures = []
        for name, week, connections, seed in PHASES:
            path = self._home / f"{name}.pcap"
            sites = f"live-{name == 'before'}"
            generate(path, seed=seed, connections=connections, sites=sites, background_share=0.1, world=Week(week))
            captures.append(path)
        with ExitStack() as stack:

            def start(name: str, *command: str) -> subprocess.Popen[bytes]:
                return stack.enter_context(parts.program(self._home / f"{name}.log", *self._server.inside, *command))

            worker = ["worker", "--bundle", "testbed", "--model-store", str(self._home / "store")]
            worker += [
                "--trusted-keys",
                str(self._key.with_suffix(".pub")),
                "--truth-log",
                str(self._home / "truth.log"),
            ]
            start("worker", *parts.EACF, *worker)
            database = str(self._home / "samples.db")
            start("collect", *parts.EACF, "collect", "--db", database, "--labels", "testbed")
            logs = self._home / "zeek"
            logs.mkdir()
            package = str(Path(__file__).resolve().parents[2] / "zeek")
            run = [self._zeek, "-C", "-i", self._server.interface, package, "LogAscii::use_json=T"]
            sensor = start("zeek", "sh", "-c", 'cd "$0" && exec "$@"', str(logs), *run)
            self._until(lambda: self._ready(), READY_S, "Zeek, the worker and the tap did not find each other")
            spans = [self._play(captures[0])]
            watch = [*parts.TRAIN, "watch", str(self._home / "loop"), "--db", database, "--from", "testbed"]
            start("watch", *watch, "--labels", "testbed", "--key", str(self._key), "--quarantine", "0")
            spans.append(self._play(captures[1]))
            self._until(self._pushed, UPDATE_S, "no model was pushed")
            pushed_at = time.time()
            time.sleep(SETTLE_S)
            spans.append(self._play(captures[2]))
            time.sleep(SETTLE_S)
            sensor.terminate()
            sensor.wait(30)
        return self._figures(logs, spans, pushed_at)

    def _until(self, condition: Callable[[], object], limit_s: float, otherwise: str) -> None:
        from machine import VoidError

        until = time.monotonic() + limit_s
        while not condition():
            if time.monotonic() > until:
                raise VoidError(f"{otherwise}; the logs are in {self._home}")
            time.sleep(0.5)

    def _ready(self) -> bool:
        """Zeek says that a worker and a tap are there."""
        said = subprocess.run(
            [*self._server.inside, *self._parts.EACF, "status", "--json", "--timeout", "2"],
            capture_output=True,
            text=True,
            check=False,
        ).stdout
        reports = [json.loads(line) for line in said.splitlines()]
        zeeks = [report for report in reports if report.get("kind") == "zeek"]
        return any(
            any(each["state"] == "ready" for each in report["workers"])
            and any(tap["state"] == "ready" for tap in report["taps"])
            for report in zeeks
        )

    def _play(self, capture: Path) -> tuple[float, float]:
        begun = time.time()
        command = [sys.executable, __file__, str(capture), self._client.interface, str(FASTER)]
        subprocess.run([*self._client.inside, *command], check=True)
        time.sleep(SETTLE_S)
        return begun, time.time()

    def _lines(self) -> list[dict[str, Any]]:
        log = self._home / "loop" / "decisions.jsonl"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    def _pushed(self) -> bool:
        return any(line["kind"] == "push" and line["done"] for line in self._lines())

    def _figures(self, logs: Path, spans: list[tuple[float, float]], pushed_at: float) -> dict[str, Any]:
        from eacf.labels import LabelRules

        rules = LabelRules.named("testbed")
        flows = _json(logs / "eacf.log")
        figures: dict[str, Any] = {}
        for (name, *_), (begun, ended) in zip(PHASES, spans, strict=True):
            own = [flow for flow in flows if begun <= flow["ts"] < ended and rules.label(flow.get("server_name"))]
            right = sum(flow.get("label") == rules.label(flow["server_name"]) for flow in own)
            said = sum("label" in flow for flow in own)
            figures |= {
                f"live.{name}_flows": len(own),
                f"live.{name}_right": right / max(1, len(own)),
                f"live.{name}_said": said / max(1, len(own)),
                f"live.{name}_right_of_said": right / max(1, said),
                f"live.{name}_models": dict(Counter(flow.get("model", "-") for flow in own)),
            }
        account = _json(logs / "eacf_stats.log")[-1]
        answered = sum(account[term] for term in ("labelled", "abstained", "refused"))
        notices = Counter(line["note"] for line in _json(logs / "notice.log")) if (logs / "notice.log").exists() else {}
        updates = [line for line in self._lines() if line["kind"] == "update"]
        return figures | {
            "live.collected": account["collected"],
            "live.lost": account["collected"] - answered,
            "live.lines": len(flows),
            "live.updates": [line["why"] for line in updates],
            "live.pushes": sum(line["kind"] == "push" and line["done"] for line in self._lines()),
            "live.seconds_from_end_of_drift_to_push": pushed_at - spans[1][1],
            "live.notices": dict(notices),
        }


def _json(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def play(capture: Path, interface: str, faster: float) -> None:
    """Put a capture's frames on an interface, in their order, at their times divided by `faster`."""
    import dpkt

    with capture.open("rb") as file, socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
        wire.bind((interface, 0))
        begun, first = time.monotonic(), None
        for at, frame in dpkt.pcap.Reader(file):
            first = at if first is None else first
            wait = (at - first) / faster - (time.monotonic() - begun)
            if wait > 0.001:
                time.sleep(wait)
            wire.send(frame)


if __name__ == "__main__":
    play(Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]))
