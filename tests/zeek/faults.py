"""Faults of a sensor, run against real processes: each ends with an account, which closes to the flow or does not.

Zeek reads a capture in pseudo-realtime, which is live traffic to the package: packets come when their time has come, and nothing
waits. Tests hold each outcome to what it should be; `make bench-zeek` counts the accounts that stayed open.
"""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from eacf.bus import Endpoints, Peer
from eacf.sensor import zeek_scripts
from eacf.verdict import Verdict
from eacf.wire import encode_verdicts
from eacf_trainer.testbed import packets
from eacf_trainer.testbed.capture import START_S, Maker

OUTCOMES = ("labelled", "abstained", "refused", "timed_out", "no_worker", "shed")
COUNTED = {each: each for each in OUTCOMES[1:]} | {"timeout": "timed_out"}
"""Reasons in eacf.log, as the account names them."""
LIMIT_S = 120.0
"""A Zeek that is not through by then hangs."""
WORKER_UP_S = 30.0
QUICK_APPS = ("api-polling", "web-page", "code-fetch")
"""Applications many of whose connections are over within seconds of packet time."""
TAIL_S = 1.0
"""Connections are over so long after the last one's beginning: what is open when Zeek ends would be shed."""


def make_capture(target: Path, *, connections: int, seconds: float, seed: int = 7001) -> Path:
    """Connections of the testbed that begin evenly within `seconds`, and are over soon afterwards."""
    maker = Maker(random.Random(f"faults {seed}"), "faults", "lan", 6_000)
    written: list[packets.Timed] = []
    for number in range(connections):
        timed: list[packets.Timed] = []
        while not timed or timed[-1][0] > START_S + seconds + TAIL_S:
            _, timed = maker.connection(maker.rng.choice(QUICK_APPS), START_S + seconds * number / connections)
        written += timed
    _, last = maker.connection("api-polling", START_S + seconds + 2 * TAIL_S)
    written += last[:1]
    written.sort(key=lambda each: each[0])
    packets.write(target, written)
    return target


@dataclass
class Outcome:
    """How a Zeek process ended, and what it said of its flows."""

    account: dict[str, Any] = field(default_factory=dict)
    """Last line of eacf_stats.log."""
    lines: list[dict[str, Any]] = field(default_factory=list)
    """eacf.log."""
    status: int = 0
    words: str = ""
    """Zeek's standard output and error."""
    folder: Path = Path()

    @property
    def outcomes(self) -> Counter[str]:
        """Lines of eacf.log by what came of the flow."""
        return Counter(
            "labelled" if "label" in line else COUNTED.get(str(line.get("reason")), "?") for line in self.lines
        )

    @property
    def closes(self) -> bool:
        """The account adds up, nothing is left open, and eacf.log says the same."""
        account = self.account
        if not account or account["pending"] or account["collected"] != sum(account[each] for each in OUTCOMES):
            return False
        return all(account[each] == self.outcomes[each] for each in OUTCOMES) and account["collected"] == len(
            self.lines
        )

    def log(self, name: str) -> list[dict[str, Any]]:
        """The lines of another log; none where there is no such log."""
        rotated = sorted(self.folder.glob(f"{name}.2*.log"))
        files = [*rotated, self.folder / f"{name}.log"]
        return [json.loads(line) for path in files if path.exists() for line in path.read_text().splitlines()]


class Site:
    """One bus with a Zeek, workers and taps on it, in a folder of its own; all processes end with the context."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._stack = ExitStack()
        sockets = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="eacf-")))
        self.endpoints = Endpoints(f"ipc://{sockets}/s", f"ipc://{sockets}/p")
        self.zeek: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def environment(self) -> dict[str, str]:
        plain = {name: value for name, value in os.environ.items() if not name.startswith("EACF_")}
        return plain | {
            "EACF_SUBSCRIBE_ENDPOINT": self.endpoints.subscribe,
            "EACF_PUBLISH_ENDPOINT": self.endpoints.publish,
        }

    def start(self, command: list[str], name: str, cwd: Path | None = None, **more: str) -> subprocess.Popen[bytes]:
        """A process whose words go to a file of that name, ended with the context if it still runs."""
        words = self._stack.enter_context((self.folder / f"{name}.out").open("wb"))
        process = subprocess.Popen(
            command,
            cwd=cwd or self.folder,
            env=self.environment | more,
            stdin=subprocess.DEVNULL,
            stdout=words,
            stderr=subprocess.STDOUT,
        )
        self._stack.callback(_end, process)
        return process

    def start_zeek(self, capture: Path, *more: str, realtime: bool = True) -> None:
        command = ["zeek", "-C", "-r", str(capture)]
        command += ["--pseudo-realtime=1.0"] if realtime else []
        # Connections are over soon after their last packet, not five seconds later.
        command += [str(zeek_scripts()), "LogAscii::use_json=T", "tcp_close_delay=300msec", *more]
        self.zeek = self.start(command, "zeek")

    def start_worker(self, name: str = "worker", *more: str, wait: bool = True) -> subprocess.Popen[bytes]:
        """An `eacf worker` on this bus, without what looks for drift: it is there sooner. `wait`: until it is on the bus."""
        command = [sys.executable, "-m", "eacf", "worker", "--drift-alarms", "off", *more]
        process = self.start(command, name)
        if wait:
            self.wait_for(lambda: b"on the bus" in (self.folder / f"{name}.out").read_bytes())
        return process

    def start_cli(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        return self.start([sys.executable, "-m", "eacf", *arguments], name)

    @contextmanager
    def peer(self, node: str = "stranger", topics: tuple[bytes, ...] = ()) -> Iterator[tuple[Peer, bytes]]:
        """Somebody else on the bus, and where the Zeek of this bus hears verdicts: subscriptions are told to everybody."""
        with Peer(self.endpoints, node, [*topics, b"eacf.test."], watch=True) as peer:
            found: list[bytes] = []

            def look() -> bool:
                found.extend(
                    topic for added, topic in peer.subscriptions() if added and topic.startswith(b"eacf.verdict.")
                )
                return bool(found)

            self.wait_for(look)
            yield peer, found[0]

    @staticmethod
    def wait_for(condition: Callable[[], object], limit_s: float = WORKER_UP_S) -> None:
        until = time.monotonic() + limit_s
        while not condition():
            if time.monotonic() > until:
                raise TimeoutError(f"not within {limit_s:g} s")
            time.sleep(0.02)

    def wait_for_flows(self, count: int) -> None:
        """Until eacf.log has so many lines: traffic flows and is answered."""
        log = self.folder / "eacf.log"
        self.wait_for(lambda: log.exists() and log.read_bytes().count(b"\n") >= count, 60)

    def account_is_last(self) -> bool:
        """Zeek has written its account; it does so at its end alone where it runs for less than EACF::stats_interval."""
        lines = Outcome(folder=self.folder).log("eacf_stats")
        return bool(lines) and not lines[-1]["held"] and not lines[-1]["pending"]

    def end(self) -> Outcome:
        """Wait for Zeek's own end."""
        assert self.zeek is not None
        self.zeek.wait(LIMIT_S)
        return read_outcome(self.folder, self.zeek)


def read_outcome(folder: Path, zeek: subprocess.Popen[bytes], words: str = "zeek.out") -> Outcome:
    """What the logs in a folder say, once Zeek is through."""
    found = Outcome(status=zeek.returncode, folder=folder, words=(folder / words).read_text(errors="replace"))
    found.lines = found.log("eacf")
    stats = found.log("eacf_stats")
    found.account = stats[-1] if stats else {}
    return found


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGCONT)
        process.kill()
    process.wait()


# The faults. Each takes an empty folder and a capture of `connections` over `seconds`.


def worker_killed(folder: Path, capture: Path) -> Outcome:
    """kill -9 under load; another worker comes a while later."""
    with Site(folder) as site:
        site.start_zeek(capture)
        first = site.start_worker("first")
        site.wait_for_flows(100)
        first.kill()
        time.sleep(1)
        site.start_worker("second")
        return site.end()


def worker_stopped(folder: Path, capture: Path, stopped_s: float = 30.0) -> Outcome:
    """SIGSTOP for a while, then it goes on; a healthy worker beside it."""
    with Site(folder) as site:
        site.start_zeek(capture)
        stopped = site.start_worker("stopped")
        site.start_worker("healthy")
        site.wait_for_flows(100)
        stopped.send_signal(signal.SIGSTOP)
        time.sleep(stopped_s)
        stopped.send_signal(signal.SIGCONT)
        return site.end()


def worker_replaced(folder: Path, capture: Path, other: Path) -> Outcome:
    """Under load, a worker gets another bundle, with other needs."""
    import eacf.bundle

    with Site(folder) as site:
        bundle = folder / "serving.eacf"
        bundle.write_bytes(eacf.bundle.default_path().read_bytes())
        site.start_zeek(capture)
        worker = site.start_worker("worker", "--bundle", str(bundle))
        site.wait_for_flows(100)
        beside = folder / "next.eacf"
        beside.write_bytes(other.read_bytes())
        beside.replace(bundle)
        worker.send_signal(signal.SIGHUP)
        return site.end()


def workers_come_and_go(folder: Path, capture: Path) -> Outcome:
    """A second worker joins, the first leaves in order."""
    with Site(folder) as site:
        site.start_zeek(capture)
        first = site.start_worker("first")
        site.wait_for_flows(100)
        site.start_worker("second")
        time.sleep(1)
        first.terminate()
        return site.end()


def tap_hangs(folder: Path, capture: Path) -> Outcome:
    """A tap that took flows stops reading."""
    with Site(folder) as site:
        site.start_zeek(capture)
        site.start_worker()
        tap = site.start_cli("tap", "record", "--bus", "--out", "tap.jsonl")
        site.wait_for(lambda: (folder / "tap.jsonl").exists() and (folder / "tap.jsonl").stat().st_size > 10_000, 60)
        tap.send_signal(signal.SIGSTOP)
        # Zeek's proxy waits at its end for a peer that does not read, for ever (it sets no linger); the account is written before.
        site.wait_for(lambda: site.account_is_last(), LIMIT_S)
        tap.kill()
        return site.end()


def sockets_filled(folder: Path, capture: Path) -> Outcome:
    """A stranger floods the topic of verdicts, faster than Zeek reads, while the worker answers."""
    with Site(folder) as site:
        site.start_zeek(
            capture, "Cluster::Backend::ZeroMQ::onloop_queue_hwm=50", "Cluster::Backend::ZeroMQ::xsub_rcvhwm=10"
        )
        site.start_worker()
        site.wait_for_flows(100)
        with site.peer() as (peer, topic):
            strange = [
                Verdict(uid=f"Cstrange{number}", label="x", confidence=1.0, model="0" * 12) for number in range(256)
            ]
            body = encode_verdicts("0" * 12, strange)
            until = time.monotonic() + 3
            while time.monotonic() < until:
                peer.send(topic, body)
        return site.end()


def zeek_terminated(folder: Path, capture: Path) -> Outcome:
    """SIGTERM to Zeek in mid-load."""
    with Site(folder) as site:
        site.start_zeek(capture)
        site.start_worker()
        site.wait_for_flows(100)
        assert site.zeek is not None
        site.zeek.terminate()
        return site.end()


LAYOUT = """
redef Cluster::manager_is_logger = F;
redef Cluster::nodes = {{
	["manager"] = [$node_type=Cluster::MANAGER, $ip=127.0.0.1],
	["logger-1"] = [$node_type=Cluster::LOGGER, $ip=127.0.0.1, $p={port}/tcp, $manager="manager"],
	["worker-1"] = [$node_type=Cluster::WORKER, $ip=127.0.0.1, $manager="manager"],
	["worker-2"] = [$node_type=Cluster::WORKER, $ip=127.0.0.1, $manager="manager"],
}};
"""
SITE = """
@load policy/frameworks/cluster/backend/zeromq/connect
redef Cluster::Backend::ZeroMQ::listen_xpub_endpoint = "{endpoints.subscribe}";
redef Cluster::Backend::ZeroMQ::connect_xsub_endpoint = "{endpoints.subscribe}";
redef Cluster::Backend::ZeroMQ::listen_xsub_endpoint = "{endpoints.publish}";
redef Cluster::Backend::ZeroMQ::connect_xpub_endpoint = "{endpoints.publish}";
redef LogAscii::use_json = T;
# The account of each node lies beside it, too: what goes to the logger last may not arrive.
redef Log::enable_local_logging = T;
"""


def start_cluster(
    site: Site, capture: Path, *more: str, after_manager: Callable[[], object] = lambda: None
) -> dict[str, subprocess.Popen[bytes]]:
    """Manager, logger and two worker nodes on one bus, each in a folder with its name; both workers read the same capture."""
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        port = chosen.getsockname()[1]
    (site.folder / "cluster-layout.zeek").write_text(LAYOUT.format(port=port))
    (site.folder / "site.zeek").write_text(SITE.format(endpoints=site.endpoints))
    path = subprocess.run(["zeek-config", "--zeekpath"], capture_output=True, text=True, check=True).stdout.strip()
    nodes = {}
    for node in ("manager", "logger-1", "worker-1", "worker-2"):
        (site.folder / node).mkdir()
        source = ["-C", "-r", str(capture), "--pseudo-realtime=1.0"] if node.startswith("worker") else []
        command = [
            "zeek",
            *source,
            str(site.folder / "site.zeek"),
            str(zeek_scripts()),
            "tcp_close_delay=300msec",
            *more,
        ]
        nodes[node] = site.start(command, node, site.folder / node, CLUSTER_NODE=node, ZEEKPATH=f"{site.folder}:{path}")
        if node == "manager":
            after_manager()
    return nodes


def cluster_worker_dies(folder: Path, capture: Path) -> Outcome:
    """A worker node of a cluster is killed. The outcome is that of the other one."""
    with Site(folder) as site:
        nodes = start_cluster(site, capture, after_manager=site.start_worker)
        log = folder / "worker-1" / "eacf.log"
        site.wait_for(lambda: log.exists() and log.read_bytes().count(b"\n") >= 100, 60)
        nodes["worker-2"].kill()
        nodes["worker-1"].wait(LIMIT_S)
        outcome = read_outcome(folder / "worker-1", nodes["worker-1"], "../worker-1.out")
        for node in ("manager", "logger-1"):
            assert nodes[node].poll() is None, f"{node} ended: {(folder / f'{node}.out').read_text(errors='replace')}"
        return outcome


FAULTS: Mapping[str, Callable[[Path, Path], Outcome]] = {
    "worker killed": worker_killed,
    "worker stopped": worker_stopped,
    "workers come and go": workers_come_and_go,
    "tap hangs": tap_hangs,
    "sockets filled": sockets_filled,
    "zeek terminated": zeek_terminated,
    "cluster worker dies": cluster_worker_dies,
}
