"""`make demo-gateway`: applications share a bottleneck; a policy is switched on; one is fast, one is slow, one is blocked.

A client, a gateway and a server as network namespaces. On the gateway: a real Zeek on its inside interface, `eacf worker`, `eacf enforce`,
and HTB on the way to the client. Needs root, zeek, nft's library, iproute2. Everything is gone afterwards; what was seen lies in --out.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import network
import peers
import plot

from eacf.errors import EacfError, SettingError
from eacf.sensor import fit_zeek, zeek_scripts

EACF = (sys.executable, "-m", "eacf")
ADDRESSES = {app: f"198.18.2.{number}" for number, app in enumerate(peers.SITES, 11)}
LINK_MBIT = 16
SHARED_S, ACTED_S = 20.0, 30.0
SETTLE_S = 8.0
"""After the switch: connections that had their verdict before it end within so long."""
READY_S = 60.0
WORDS = {"code-fetch": "priority high", "video": "priority low, 3 Mbit/s", "bulk-upload": "block"}
POLICY = """\
# The demo's policy. `eacf policy check policy.toml` tells what it does.
mode = "dry-run"

[classes.high]
tc = "1:10"
mark = 16

[classes.low]
tc = "1:30"
mark = 48

[label.code-fetch]
priority = "high"
dscp = "af41"
confidence = 0.5

[label.video]
priority = "low"
rate = "3mbit"
confidence = 0.5

[label.bulk-upload]
block = true
for = "1m"
confidence = 0.5
"""


def main() -> int:
    parser = argparse.ArgumentParser(prog="make demo-gateway", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("demo-out/gateway"), help="folder for logs and pictures")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, _ended)
    try:
        home = _empty(options.out)
        _needs()
        with network.namespaces([network.SERVER, *ADDRESSES.values()]) as made:
            for interface in (network.LAN, network.WAN):
                network.bottleneck(made.gateway, interface, LINK_MBIT)
            return Demo(home, made).run()
    except EacfError as error:
        print(f"demo-gateway: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("demo-gateway: ended early; nothing is left behind", file=sys.stderr)
        return 130


def _ended(*_: int | FrameType | None) -> None:
    raise KeyboardInterrupt


def _empty(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder.resolve()


def _needs() -> None:
    """SettingError, with the remedy, for what is missing."""
    if os.geteuid() != 0:
        raise SettingError("network namespaces need root; run it with sudo, or as root in a container of its own")
    for program, package in (("ip", "iproute2"), ("tc", "iproute2"), ("nft", "nftables"), ("sysctl", "procps")):
        if shutil.which(program) is None:
            raise SettingError(f"{program} is not on the PATH; install {package}")
    fit_zeek()


class Demo:
    """One run."""

    def __init__(self, home: Path, made: network.Namespaces) -> None:
        self._home, self._made = home, made
        self._policy = home / "policy.toml"
        self._logs = home / "zeek"

    def run(self) -> int:
        self._policy.write_text(POLICY)
        self._logs.mkdir()
        with ExitStack() as stack:

            def start(name: str, namespace: str, *command: str, folder: Path | None = None) -> None:
                stack.enter_context(_program(self._home / f"{name}.log", folder, *network.inside(namespace), *command))

            gateway = self._made.gateway
            say(f"a gateway between a client and a server, {LINK_MBIT} Mbit/s either way; all three are namespaces")
            start("worker", gateway, *EACF, "worker", "--bundle", "testbed")
            start("enforce", gateway, *EACF, "enforce", "--policy", str(self._policy), "--state", str(self._home))
            sensor = ["zeek", "-C", "-i", network.LAN, str(zeek_scripts()), "LogAscii::use_json=T"]
            start("zeek", gateway, *sensor, f"EACF::policy_file={self._policy}", folder=self._logs)
            self._until(self._ready, "Zeek, the worker and the agent did not find each other")
            say("Zeek, a worker and the agent are on the gateway; the policy is in dry-run")
            peer = (sys.executable, str(Path(peers.__file__)))
            start(
                "server", self._made.server, *peer, "server", str(self._home / "bulk-upload.jsonl"), *ADDRESSES.values()
            )
            time.sleep(2)
            began = time.time()
            for app, address in ADDRESSES.items():
                log = self._home / ("attempts.jsonl" if app in peers.UPLOADS else f"{app}.jsonl")
                start(app, self._made.client, *peer, "client", app, address, str(log))
            say(f"traffic of {', '.join(ADDRESSES)} for {SHARED_S:g} s")
            time.sleep(SHARED_S)
            say('the policy file is edited: mode = "act"')
            self._policy.write_text(POLICY.replace('mode = "dry-run"', 'mode = "act"'))
            switched = time.time()
            time.sleep(ACTED_S)
            ended = time.time()
            self._show_kernel()
        return self._tell(began, switched, ended)

    def _until(self, condition: Callable[[], bool], otherwise: str) -> None:
        until = time.monotonic() + READY_S
        while not condition():
            if time.monotonic() > until:
                raise SettingError(f"{otherwise} within {READY_S:g} s; their logs are in {self._home}")
            time.sleep(0.5)

    def _ready(self) -> bool:
        said = subprocess.run(
            [*network.inside(self._made.gateway), *EACF, "status", "--json", "--timeout", "2"],
            capture_output=True,
            text=True,
            check=False,
        ).stdout
        reports = [json.loads(line) for line in said.splitlines()]
        zeek = next((each for each in reports if each.get("kind") == "zeek"), None)
        if zeek is None or not any(each["state"] == "ready" for each in zeek["workers"]):
            return False
        return any(each.get("kind") == "enforce" for each in reports) and (self._logs / "packet_filter.log").exists()

    def _show_kernel(self) -> None:
        listed = subprocess.run(
            [*network.inside(self._made.gateway), "nft", "list", "table", "inet", "eacf"],
            capture_output=True,
            text=True,
            check=False,
        ).stdout
        (self._home / "table.nft").write_text(listed)

    def _tell(self, began: float, switched: float, ended: float) -> int:
        rates = {app: _rates(self._home / f"{app}.jsonl", began, ended) for app in ADDRESSES}
        switched_s = switched - began
        plot.draw(self._home / "throughput", rates, switched_s, WORDS, LINK_MBIT)
        lead = round(peers.HOLD_S / plot.STEP_S)
        cut = round(switched_s / plot.STEP_S)
        settled = cut + round(SETTLE_S / plot.STEP_S)
        before = {app: _mean(values[lead:cut]) for app, values in rates.items()}
        after = {app: _mean(values[settled:]) for app, values in rates.items()}
        print(f"\n{'application':<14}{'policy':<26}{'before':>10}{'after':>10}   Mbit/s at the receiver")
        for app in ADDRESSES:
            print(f"{app:<14}{WORDS[app]:<26}{before[app]:>10.2f}{after[app]:>10.2f}")
        for name in ("eacf", "eacf_actions"):
            _excerpt(self._logs / f"{name}.log")
        print(f"\nlogs, the kernel's table and throughput.svg are in {self._home}")
        promised = (
            after["code-fetch"] > 1.2 * before["code-fetch"],
            after["video"] < 0.7 * before["video"],
            after["bulk-upload"] < 0.1 * before["bulk-upload"],
        )
        if not all(promised):
            print("demo-gateway: not as promised: fast, slow, blocked came out as", *promised, file=sys.stderr)
            return 1
        return 0


@contextmanager
def _program(log: Path, folder: Path | None, *command: str) -> Iterator[None]:
    """A program with its words in `log`; it ends with the context. In a session of its own: Ctrl-C is for us."""
    with log.open("ab") as out:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=folder, start_new_session=True
        )
    try:
        yield
        if process.poll() is not None:
            raise SettingError(f"{' '.join(command[4:7])} ended early; see {log}")
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
        process.wait()


def _rates(log: Path, began: float, ended: float) -> list[float]:
    """Mbit/s, a value for each quarter of a second from `began` on."""
    values = [0.0] * max(1, int((ended - began) / plot.STEP_S))
    for text in log.read_text().splitlines():
        line: dict[str, Any] = json.loads(text)
        slot = int((line["at"] - began) / plot.STEP_S)
        if 0 <= slot < len(values):
            values[slot] += line["bytes"] * 8 / 1e6 / plot.STEP_S
    return values


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _excerpt(log: Path) -> None:
    """The last line of each kind, as an operator would read it."""
    if not log.exists():
        return
    last: dict[object, str] = {}
    for text in log.read_text().splitlines():
        line = json.loads(text)
        last[line.get("label"), line.get("outcome")] = text
    print(f"\n{log.name}, the last line of each label" + (" and outcome" if "actions" in log.name else ""))
    for text in last.values():
        print(f"  {text}")


def say(text: str) -> None:
    print(f"* {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
