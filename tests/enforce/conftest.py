"""Acts and policies in short, and network namespaces: the kernel's packet filter is the real one, each test has its own."""

from __future__ import annotations

import ctypes
import json
import os
import secrets
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any, TypeVar

import pytest

from eacf.bus import EmbeddedBus, Endpoints, Peer
from eacf.policy import Policy, read
from eacf.wire import (
    MAX_ACTS,
    Act,
    Acted,
    ActedReply,
    decode_message,
    encode_acts,
    encode_unacts,
    enforced_topic,
)

CLONE_NEWNET = 0x4000_0000
NODE = "eacf.enforced.0123456789ab."
T = TypeVar("T")

Ask = Callable[..., Act]
MakePolicy = Callable[..., Policy]
InNamespace = Callable[[Callable[[], T]], T]

CLASSES = """
[classes.high]
mark = 16
tc = "1:10"
[classes.low]
mark = 32
tc = "1:20"
"""


def needs_kernel() -> str | None:
    """Why the kernel's part cannot be tested here; None: it can."""
    if os.geteuid() != 0:
        return "needs root, for network namespaces; run it as root"
    for program in ("nft", "ip", "unshare", "nsenter", "setpriv"):
        if shutil.which(program) is None:
            return f"needs {program}; apt install nftables iproute2 util-linux"
    try:
        ctypes.CDLL("libnftables.so.1")
    except OSError:
        return "needs libnftables.so.1; apt install libnftables1"
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    reason = needs_kernel()
    for item in items:
        if reason is not None and item.path.is_relative_to(here) and "kernel" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture
def kernel() -> None:
    """Asked for by tests that need root and nftables; they are skipped where these are not."""


@pytest.fixture
def inside(kernel: None) -> Callable[[Callable[[], Any]], Any]:
    """Runs a function in a new network namespace, in a thread of its own; its result or its error is the call's."""

    def run(function: Callable[[], Any]) -> Any:
        results: list[Any] = []
        errors: list[BaseException] = []

        def go() -> None:
            try:
                if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), "unshare")
                results.append(function())
            except BaseException as error:  # noqa: BLE001 - raised again below
                errors.append(error)

        thread = threading.Thread(target=go)
        thread.start()
        thread.join()
        if errors:
            raise errors[0]
        return results[0]

    return run


def make_act(number: int = 1, kind: str = "qos", **fields: Any) -> Act:
    """An act; each number is another connection of one client."""
    asked = {
        "id": f"0123456789ab.{number}",
        "kind": kind,
        "orig_h": "10.1.0.2",
        "orig_p": 0 if kind == "drop_host" else 1024 + number % 60_000,
        "resp_h": "10.2.0.2",
        "resp_p": 0 if kind == "drop_host" else 443,
        "protocol": "tcp",
        "width": 32 if kind == "drop_host" else 0,
        "key": "label youtube" if kind == "qos" else "",
        "priority": "high" if kind == "qos" else None,
        "dscp": None,
        "rate": None,
        "lasts_s": 60.0,
        **fields,
    }
    if kind == "drop_host" and "resp_h" not in fields:
        asked["resp_h"] = asked["orig_h"]
    for key in ("orig_h", "resp_h"):
        asked[key] = ip_address(str(asked[key]))
    return Act(**asked)


def policy_text(
    mode: str = "act", leave_alone: tuple[str, ...] = (), classes: str = CLASSES, acts: str = "", **bounds: int
) -> str:
    """A policy that acts, with classes high (16, 1:10) and low (32, 1:20)."""
    lines = [f'mode = "{mode}"', f"leave_alone = {json.dumps(leave_alone)}"]
    lines += ["[bounds]", *(f"{key} = {value}" for key, value in bounds.items()), classes, acts]
    return "\n".join(lines) + "\n"


@pytest.fixture
def ask() -> Ask:
    """Makes an act, as :func:`make_act`."""
    return make_act


@pytest.fixture
def policy(tmp_path: Path) -> MakePolicy:
    """Makes a policy, as :func:`policy_text`."""

    def make(*arguments: Any, **fields: Any) -> Policy:
        path = tmp_path / "made.toml"
        path.write_text(policy_text(*arguments, **fields))
        return read(path)

    return make


@pytest.fixture(scope="session")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Policy:
    """A policy that allows whatever comes."""
    path: Path = tmp_path_factory.mktemp("policy") / "policy.toml"
    path.write_text(policy_text())
    return read(path)


class Gateway:
    """Client, gateway and server as network namespaces with both IP versions; the gateway forwards."""

    CLIENT, SERVER = ("10.1.0.2", "2001:db8:1::2"), ("10.2.0.2", "2001:db8:2::2")

    def __init__(self) -> None:
        self.client, self.middle, self.server = (f"eacf-{part}-{secrets.token_hex(4)}" for part in "cgs")
        self._processes: list[subprocess.Popen[Any]] = []

    def build(self) -> None:
        for name in (self.client, self.middle, self.server):
            run("ip", "netns", "add", name)
            self.at(name, "ip", "link", "set", "lo", "up")
            self.at(name, "sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0")
        for name, inner, net in ((self.client, "lan0", 1), (self.server, "wan0", 2)):
            run("ip", "link", "add", inner, "netns", self.middle, "type", "veth", "peer", "name", "eth0", "netns", name)
            for where, device, host in ((self.middle, inner, 1), (name, "eth0", 2)):
                self.at(where, "ip", "addr", "add", f"10.{net}.0.{host}/24", "dev", device)
                self.at(where, "ip", "addr", "add", f"2001:db8:{net}::{host}/64", "dev", device, "nodad")
                self.at(where, "ip", "link", "set", device, "up")
            self.at(name, "ip", "route", "add", "default", "via", f"10.{net}.0.1")
            self.at(name, "ip", "route", "add", "default", "via", f"2001:db8:{net}::1")
        self.at(self.middle, "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")

    def at(self, name: str, *command: str) -> str:
        """What a program prints that runs there."""
        return run("ip", "netns", "exec", name, *command)

    def nft(self, *command: str) -> str:
        """On the gateway."""
        return self.at(self.middle, "nft", *command)

    def has_table(self) -> bool:
        return "inet eacf" in self.nft("list", "tables")

    def start(self, name: str, *command: str, **options: Any) -> subprocess.Popen[Any]:
        """A process there, which is gone after the test."""
        process = subprocess.Popen(["ip", "netns", "exec", name, *command], **options)
        self._processes.append(process)
        return process

    def end(self) -> None:
        for process in self._processes:
            process.kill()
            process.communicate()
        for name in (self.client, self.middle, self.server):
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


def run(*command: str) -> str:
    """What a program prints; its errors where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


@pytest.fixture
def gateway(kernel: None) -> Iterator[Gateway]:
    made = Gateway()
    try:
        made.build()
        yield made
    finally:
        made.end()


class Asker:
    """A Zeek process in so far as acts go: it finds agents by their subscriptions, asks them, and hears their answers."""

    def __init__(self, endpoints: Endpoints, node: str = "0123456789ab") -> None:
        self.reply_to = enforced_topic(node).decode()
        self.peer = Peer(endpoints, node, [self.reply_to.encode()], watch=True)
        self.agents: set[bytes] = set()
        self.said: list[Acted] = []

    def find(self, wait_s: float = 30.0) -> bytes:
        """The topic of an agent, once one is there and hears us."""
        self.until(lambda: bool(self.agents), wait_s)
        return next(iter(self.agents))

    def until(self, condition: Callable[[], bool], wait_s: float = 30.0) -> None:
        """Hear what comes until it is so."""
        deadline = time.monotonic() + wait_s
        while not condition():
            assert time.monotonic() < deadline, self.said
            self.peer.wait(0.05)
            for added, topic in self.peer.subscriptions():
                if topic.startswith(b"eacf.enforce.") and len(topic) > len(b"eacf.enforce."):
                    (self.agents.add if added else self.agents.discard)(topic)
            for frames in self.peer.receive(1000):
                message = decode_message(frames[3])
                if isinstance(message, ActedReply):
                    self.said += message.answers

    def ask(self, *acts: Act, wait_s: float = 30.0) -> list[tuple[str, str | None]]:
        """Outcome and why of each, in order."""
        topic, before = self.find(), len(self.said)
        for at in range(0, len(acts), MAX_ACTS):
            assert self.peer.send(topic, encode_acts(self.reply_to, list(acts[at : at + MAX_ACTS])))
        return self._answers([act.id for act in acts], before, wait_s)

    def take_away(self, *ids: str) -> list[tuple[str, str | None]]:
        topic, before = self.find(), len(self.said)
        assert self.peer.send(topic, encode_unacts(self.reply_to, list(ids)))
        return self._answers(list(ids), before, 30.0)

    def _answers(self, ids: list[str], before: int, wait_s: float) -> list[tuple[str, str | None]]:
        def heard() -> dict[str, tuple[str, str | None]]:
            return {each.id: (each.outcome, each.why) for each in self.said[before:]}

        self.until(lambda: heard().keys() >= set(ids), wait_s)
        return [heard()[each] for each in ids]


@pytest.fixture
def bus() -> Iterator[EmbeddedBus]:
    with EmbeddedBus() as made:
        yield made


@pytest.fixture
def asker(bus: EmbeddedBus) -> Iterator[Asker]:
    made = Asker(bus.endpoints)
    yield made
    made.peer.close()
