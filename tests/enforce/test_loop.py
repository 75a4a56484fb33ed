"""The real command on a real bus and the real kernel, with packets of real connections in network namespaces."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import eacf
from eacf.bus import EmbeddedBus
from eacf.enforce.metrics import ENFORCE
from eacf.status import ask as ask_status
from eacf.wire import encode_acts
from tests.enforce.conftest import NODE, Asker, Gateway, make_act, policy_text

if TYPE_CHECKING:
    from tests.conftest import Manager

Start = Callable[..., "subprocess.Popen[str]"]

TALKER = """
import contextlib, select, socket, sys, threading, time
mode, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
if mode == "serve":
    listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    print("ready", flush=True)
    def echo(connection):
        with contextlib.suppress(ConnectionError):
            while data := connection.recv(65536):
                connection.sendall(data)
    while True:
        threading.Thread(target=echo, args=(listener.accept()[0],), daemon=True).start()
else:
    connection = socket.create_connection((host, port), timeout=5, source_address=("", int(sys.argv[4])))
    print("ready", flush=True)
if mode == "pour":
    connection.setblocking(False)
    until = time.monotonic() + float(sys.stdin.readline())
    while (left := until - time.monotonic()) > 0:
        readable, writable, _ = select.select([connection], [connection], [], left)
        if readable:
            connection.recv(65536)
        if writable:
            connection.send(b"x" * 65536)
    print("poured", flush=True)
if mode == "talk":
    for line in sys.stdin:
        connection.settimeout(float(line))
        try:
            connection.sendall(b"x" * 100)
            got = 0
            while got < 100:
                got += len(connection.recv(100 - got))
            print("echo", flush=True)
        except TimeoutError:
            print("silence", flush=True)
"""


@pytest.fixture
def policy_file(tmp_path: Path) -> Path:
    path = tmp_path / "policy.toml"
    path.write_text(policy_text())
    return path


@pytest.fixture
def start(gateway: Gateway, bus: EmbeddedBus, policy_file: Path) -> Start:
    """Starts ``eacf enforce`` on the gateway."""

    def run(*arguments: object, before: tuple[str, ...] = (), **options: Any) -> subprocess.Popen[str]:
        at = bus.endpoints
        flags = ["--policy", policy_file, "--subscribe-endpoint", at.subscribe, "--publish-endpoint", at.publish]
        command = [*before, sys.executable, "-m", "eacf", "enforce", *map(str, flags), *map(str, arguments)]
        return gateway.start(gateway.middle, *command, stderr=subprocess.PIPE, text=True, **options)

    return run


def stop(process: subprocess.Popen[str], number: int = signal.SIGTERM) -> str:
    """Its words, once it has ended on this signal."""
    process.send_signal(number)
    return process.communicate(timeout=30)[1]


def elements(gateway: Gateway, name: str = "acts4") -> list[str]:
    text = gateway.nft("list", "map" if name.startswith("acts") else "set", "inet", "eacf", name)
    body = re.search(r"elements = \{(.*?)\}", text, re.DOTALL)
    return [" ".join(each.split()) for each in body[1].split(",")] if body else []


def first(pattern: str, text: str) -> int:
    """The number that the first match of a pattern holds."""
    found = re.search(pattern, text)
    assert found is not None, text
    return int(found[1])


class Talk:
    """One real TCP connection from client to server, through the gateway, with an echo at its end."""

    def __init__(self, gateway: Gateway, six: bool = False, port: int = 40_000) -> None:
        host = gateway.SERVER[six]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        program = (sys.executable, "-c", TALKER)
        self._server = gateway.start(gateway.server, *program, "serve", host, "443", **pipes)
        assert self.line(self._server) == "ready\n"
        self._client = gateway.start(gateway.client, *program, "talk", host, "443", str(port), **pipes)
        assert self.line(self._client) == "ready\n"
        self.fields: dict[str, Any] = {"orig_h": gateway.CLIENT[six], "orig_p": port, "resp_h": host, "resp_p": 443}

    def works(self, wait_s: float = 5.0) -> bool:
        """Whether 100 bytes come back."""
        assert self._client.stdin is not None
        self._client.stdin.write(f"{wait_s}\n")
        self._client.stdin.flush()
        return self.line(self._client) == "echo\n"

    @staticmethod
    def line(process: subprocess.Popen[str]) -> str:
        assert process.stdout is not None
        return process.stdout.readline()


def test_acts_are_in_place_until_they_are_taken_away(gateway: Gateway, start: Start, asker: Asker) -> None:
    process = start()
    assert (
        asker.ask(make_act(1), make_act(2, "drop"), make_act(3, "drop_host", orig_h="10.9.0.0", width=24))
        == [("in place", None)] * 3
    )
    found = elements(gateway)
    assert sum(each.endswith(": drop") for each in found) == 2
    assert sum("jump label_youtube_1" in each for each in found) == 2
    assert len(elements(gateway, "hosts4_24")) == 1
    assert asker.ask(make_act(2, "drop", id="0123456789ab.9")) == [("exists", None)]
    assert asker.take_away("0123456789ab.1", "0123456789ab.7") == [("gone", None)] * 2
    assert len(elements(gateway)) == 2
    words = stop(process)
    assert (process.returncode, gateway.has_table()) == (0, False)
    assert "goes with this process" in words
    asker.until(lambda: not asker.agents)


def test_what_is_over_goes_by_itself(gateway: Gateway, start: Start, asker: Asker) -> None:
    start()
    assert asker.ask(make_act(1, lasts_s=0.3), make_act(2, lasts_s=60.0)) == [("in place", None)] * 2
    deadline = time.monotonic() + 10
    while len(elements(gateway)) > 2:
        assert time.monotonic() < deadline
    assert asker.take_away("0123456789ab.1") == [("gone", None)]


@pytest.mark.parametrize("six", [False, True])
def test_a_connection_that_is_dropped_falls_silent_in_both_directions(
    gateway: Gateway, start: Start, asker: Asker, six: bool
) -> None:
    start()
    talk = Talk(gateway, six)
    assert talk.works()
    gateway.at(gateway.middle, "nft", COUNTERS)
    assert asker.ask(make_act(1, "drop", **talk.fields)) == [("in place", None)]
    assert not talk.works(0.4)
    passed = gateway.nft("list", "counters")
    assert re.findall(r"packets (\d+)", passed) == ["0", "0"], passed
    assert asker.take_away("0123456789ab.1") == [("gone", None)]
    assert talk.works(10.0)
    assert min(map(int, re.findall(r"packets (\d+)", gateway.nft("list", "counters")))) > 0


COUNTERS = """
table inet seen {
  counter there { }
  counter back { }
  chain after {
    type filter hook forward priority filter; policy accept;
    tcp dport 443 counter name there
    tcp sport 443 counter name back
  }
}
"""


KNOWN = """
table inet seen {
  counter known { }
  chain after {
    type filter hook forward priority filter; policy accept;
    ct mark 16 counter name known
  }
}
"""


def test_a_host_that_is_dropped_falls_silent(gateway: Gateway, start: Start, asker: Asker) -> None:
    start()
    talk = Talk(gateway)
    assert asker.ask(make_act(1, "drop_host", orig_h="10.1.0.0", width=28)) == [("in place", None)]
    assert not talk.works(0.4)
    assert asker.take_away("0123456789ab.1") == [("gone", None)]
    assert talk.works(10.0)


@pytest.mark.parametrize("six", [False, True])
def test_marks_are_on_the_packets_of_both_directions(gateway: Gateway, start: Start, asker: Asker, six: bool) -> None:
    start()
    for device in ("lan0", "wan0"):
        for words in (
            "qdisc add dev {} root handle 1: htb default 30",
            "class add dev {} parent 1: classid 1:10 htb rate 100mbit",
            "class add dev {} parent 1: classid 1:30 htb rate 100mbit",
        ):
            gateway.at(gateway.middle, "tc", *words.format(device).split())
    for name in (gateway.client, gateway.server):
        family = "ip6" if six else "ip"
        gateway.at(name, "nft", f"""
            table inet seen {{
              counter marked {{ }}
              chain came {{
                type filter hook input priority filter; policy accept;
                tcp dport 40000 {family} dscp af41 counter name marked
                tcp sport 40000 {family} dscp af41 counter name marked
              }}
            }}""")  # fmt: skip
    talk = Talk(gateway, six)
    assert talk.works()

    def marked(name: str) -> int:
        return first(r"packets (\d+)", gateway.at(name, "nft", "list", "counters"))

    def in_class(device: str) -> int:
        text = gateway.at(gateway.middle, "tc", "-s", "class", "show", "dev", device, "classid", "1:10")
        return first(r"Sent \d+ bytes (\d+) pkt", text)

    assert [marked(gateway.client), marked(gateway.server), in_class("lan0"), in_class("wan0")] == [0] * 4
    assert asker.ask(make_act(1, dscp=34, **talk.fields)) == [("in place", None)]
    assert talk.works()
    assert min(marked(gateway.client), marked(gateway.server), in_class("lan0"), in_class("wan0")) > 0
    gateway.nft(KNOWN)
    assert asker.take_away("0123456789ab.1") == [("gone", None)]
    before = marked(gateway.client), marked(gateway.server), in_class("lan0"), in_class("wan0")
    assert talk.works()
    assert before == (marked(gateway.client), marked(gateway.server), in_class("lan0"), in_class("wan0"))
    assert first(r"packets (\d+)", gateway.nft("list", "counters")) > 0


def test_connections_of_one_key_share_a_rate_in_each_direction(gateway: Gateway, start: Start, asker: Asker) -> None:
    start()
    gateway.at(gateway.middle, "nft", COUNTERS)
    program = (sys.executable, "-c", TALKER)
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    server = gateway.start(gateway.server, *program, "serve", gateway.SERVER[0], "443", **pipes)
    assert Talk.line(server) == "ready\n"

    def pour(*ports: int, seconds: float = 1.0) -> list[int]:
        """Bytes that pass, there and back, while these send all they can."""
        gateway.nft("reset", "counters")
        clients = [
            gateway.start(gateway.client, *program, "pour", gateway.SERVER[0], "443", str(port), **pipes)
            for port in ports
        ]
        assert {Talk.line(each) for each in clients} == {"ready\n"}
        acts = [
            make_act(port, orig_p=port, rate=80_000, priority=None, key="group bulk") for port in ports if port < 41_000
        ]
        assert asker.ask(*acts) == [("in place", None)] * len(acts)
        for each in clients:
            assert each.stdin is not None
            each.stdin.write(f"{seconds}\n")
            each.stdin.flush()
        assert {Talk.line(each) for each in clients} == {"poured\n"}
        return [int(each) for each in re.findall(r"bytes (\d+)", gateway.nft("list", "counters"))]

    bucket = 10_000 + 65_536  # a second of 80 kbit/s, and the burst
    there, back = pour(40_001, 40_002, 40_003)
    assert 20_000 < there < bucket + 10_000 * 3
    assert 0 < back < bucket + 10_000 * 3
    assert "chain group_bulk_1_resp" in gateway.nft("list", "table", "inet", "eacf")
    free, _ = pour(41_001, seconds=0.3)
    assert free > 10 * bucket


def test_killed_the_table_goes_and_comes_back_with_what_is_left(
    gateway: Gateway, start: Start, asker: Asker, tmp_path: Path
) -> None:
    process = start("--state", tmp_path / "state")
    asker.ask(make_act(1, "drop", lasts_s=100.0), make_act(2, lasts_s=0.2), make_act(3), make_act(4, "drop_host"))
    asker.take_away("0123456789ab.3")
    stop(process, signal.SIGKILL)
    assert not gateway.has_table()
    asker.until(lambda: not asker.agents)
    time.sleep(0.2)
    again = start("--state", tmp_path / "state")
    asker.find()
    found = elements(gateway)
    assert len(found) == 2
    assert 60 + first(r"timeout 1m(\d+)s", found[0]) <= 102
    assert len(elements(gateway, "hosts4")) == 1
    assert asker.take_away("0123456789ab.1", "0123456789ab.4") == [("gone", None)] * 2
    assert elements(gateway) == []
    assert "2 of 2 rules of before are put back" in stop(again)


def test_without_state_a_restart_forgets(gateway: Gateway, start: Start, asker: Asker) -> None:
    process = start()
    asker.ask(make_act(1))
    stop(process)
    asker.until(lambda: not asker.agents)
    start()
    asker.find()
    assert elements(gateway) == []


def test_a_policy_that_only_logs_puts_nothing_in_place(
    gateway: Gateway, start: Start, asker: Asker, policy_file: Path
) -> None:
    policy_file.write_text(policy_text("dry-run"))
    start()
    acts = [make_act(1), make_act(2, "drop"), make_act(3, "drop_host")]
    assert asker.ask(*acts) == [("refused", "dry-run")] * 3
    assert elements(gateway) == []


def test_another_policy_holds_at_once_and_a_bad_one_never(
    gateway: Gateway, start: Start, asker: Asker, policy_file: Path
) -> None:
    process = start()
    asker.ask(make_act(1), make_act(2, orig_h="10.1.0.77"), make_act(3, priority="low"))
    policy_file.write_text('mode = "sometimes"\n')
    process.send_signal(signal.SIGHUP)
    assert process.stderr is not None
    while "the policy stays as it was" not in (line := process.stderr.readline()):
        assert line
    assert asker.ask(make_act(4)) == [("in place", None)]
    beside = policy_file.with_suffix(".new")
    beside.write_text(policy_text(leave_alone=("10.1.0.0/26",)))
    asker.said.clear()
    beside.replace(policy_file)
    asker.until(lambda: len(asker.said) == 3)
    assert {each.why for each in asker.said} == {"the policy leaves 10.1.0.2 alone"}
    assert asker.ask(make_act(5)) == [("refused", "the policy leaves 10.1.0.2 alone")]
    assert {each.split()[0] for each in elements(gateway)} == {"10.1.0.77", "10.2.0.2"}
    policy_file.write_text(policy_text("dry-run"))
    process.send_signal(signal.SIGHUP)
    asker.until(lambda: len(asker.said) == 5)
    assert elements(gateway) == []
    assert "policy read again: mode dry-run; 1 rules" in stop(process)


NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
NET_ADMIN = tuple(f"--{kind}=-all,+net_admin" for kind in ("inh-caps", "ambient-caps", "bounding-set"))


@pytest.fixture
def open_folder(bus: EmbeddedBus) -> Iterator[Path]:
    """A folder of that user's own; the bus lets it in, too."""
    if subprocess.run([*NOBODY, sys.executable, "-c", "import zmq"], capture_output=True, check=False).returncode:
        pytest.skip("no other user may read this Python; install it where all may")
    sockets = Path(bus.endpoints.subscribe.removeprefix("ipc://")).parent
    sockets.chmod(0o711)
    for each in sockets.iterdir():
        each.chmod(0o666)
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        os.chown(folder, 65534, 65534)
        yield folder


def test_only_cap_net_admin_and_no_root(
    gateway: Gateway, start: Start, asker: Asker, policy_file: Path, open_folder: Path
) -> None:
    shutil.copy(policy_file, open_folder / "policy.toml")
    (open_folder / "policy.toml").chmod(0o644)
    process = start(
        "--policy", open_folder / "policy.toml", "--state", open_folder / "state", before=(*NOBODY, *NET_ADMIN)
    )
    assert asker.ask(make_act(1), make_act(2, "drop_host"), make_act(3, rate=1_000_000)) == [("in place", None)] * 3
    status = Path(f"/proc/{process.pid}/status").read_text()
    assert re.search(r"^Uid:\s+65534", status, re.MULTILINE)
    assert re.search(r"^CapEff:\s+0000000000001000$", status, re.MULTILINE)
    assert re.search(r"^CapBnd:\s+0000000000001000$", status, re.MULTILINE)
    assert len(elements(gateway)) == 4
    assert "goes with this process" in stop(process)
    assert not gateway.has_table()


def test_without_the_capability_it_says_what_it_needs(start: Start) -> None:
    process = start(before=("setpriv", "--bounding-set=-net_admin"))
    assert "eacf: no CAP_NET_ADMIN: start as root" in process.communicate(timeout=30)[1]
    assert process.returncode == 1


def test_a_second_agent_finds_the_table_owned(start: Start, asker: Asker) -> None:
    start()
    asker.find()
    second = start()
    assert "is another `eacf enforce` running here?" in second.communicate(timeout=30)[1]
    assert second.returncode == 1


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--policy", "/nowhere/policy.toml"), "/nowhere/policy.toml"),
        (("--metrics-port", 70_000), "--metrics-port 70000: must be 0"),
        (("--state", "/dev/null/x"), "--state /dev/null/x"),
    ],
)
def test_an_operators_mistake_is_2(start: Start, flags: tuple[object, ...], words: str) -> None:
    process = start(*flags)
    assert words in process.communicate(timeout=30)[1]
    assert process.returncode == 2


@pytest.mark.parametrize("manager", ["path"], indirect=True)  # a name without a path is its network namespace's own
def test_it_works_and_says_so_before_there_is_a_bus(
    gateway: Gateway, start: Start, manager: Manager, tmp_path: Path
) -> None:
    nowhere = f"ipc://{tmp_path}/bus"
    flags = ("--subscribe-endpoint", nowhere, "--publish-endpoint", nowhere)
    process = start(*flags, env={**os.environ, **manager.environment(0.4)})
    manager.until("READY=1")
    assert gateway.has_table()
    manager.until("WATCHDOG=1")
    assert any("waits for the bus" in each for each in manager.said)
    process.terminate()
    manager.until("STOPPING=1")
    assert process.wait(timeout=30) == 0


def test_status_and_metrics_say_the_same(start: Start, bus: EmbeddedBus, asker: Asker, policy_file: Path) -> None:
    policy_file.write_text(policy_text(rules=3))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    process = start("--metrics-port", port)
    asker.ask(make_act(1), make_act(2, "drop"), make_act(3, "drop_host"), make_act(4), make_act(5, priority="best"))
    asker.take_away("0123456789ab.2")
    asker.peer.send(asker.find(), encode_acts("eacf.zeek.", [make_act(9)]))
    asker.peer.send(asker.find(), b"rubbish")

    def report() -> dict[str, Any]:
        return ask_status(bus.endpoints, 10.0)[0]

    while sum((found := report())["malformed"].values()) < 2:
        pass
    assert (found["kind"], found["mode"], found["bounds"]["rules"]) == ("enforce", "act", 3)
    assert found["rules"] == {"drop": 0, "drop_host": 1, "qos": 1}
    assert found["acts"] == {
        "qos": {"in place": 1, "refused": 2},
        "drop": {"in place": 1},
        "drop_host": {"in place": 1},
    }
    assert (found["refused"], found["removed"]) == ({"full": 1, "no_class": 1}, {"asked": 1})
    assert found["nft"]["failed"] == 0
    assert found["latency_ms"]["flows"] == 3
    pid = process.pid
    command = ["nsenter", "-t", str(pid), "-n", sys.executable, "-c", FETCH, str(port)]
    scraped = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    metrics = dict(line.rsplit(" ", 1) for line in scraped if line and not line.startswith("#"))
    assert {line.split()[2] for line in scraped if line.startswith("# TYPE")} == {each.name for each in ENFORCE}
    name = found["worker"]
    assert metrics[f'eacf_enforce_info{{agent="{name}",mode="act",version="{eacf.__version__}"}}'] == "1.0"
    assert metrics['eacf_enforce_acts_total{kind="qos",outcome="refused"}'] == "2.0"
    assert metrics['eacf_enforce_refused_total{reason="full"}'] == "1.0"
    assert metrics['eacf_enforce_removed_total{reason="asked"}'] == "1.0"
    assert metrics['eacf_enforce_rules{kind="drop_host"}'] == "1.0"
    assert metrics["eacf_enforce_rules_limit"] == "3.0"
    assert metrics["eacf_enforce_latency_seconds_count"] == "3.0"
    assert float(metrics["eacf_enforce_transactions_total"]) >= 2


FETCH = """
import sys, urllib.request
print(urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/metrics").read().decode())
"""


UNOWNED = """
import sys
from eacf.cli import main
from eacf.enforce.nft import Nft, NftError
run = Nft.run
def old(self, text):
    if "flags owner" in text:
        raise NftError("Operation not supported")
    return run(self, text)
Nft.run = old
sys.exit(main(sys.argv[1:]))
"""


def test_a_table_without_an_owner_that_somebody_flushes_comes_back(
    gateway: Gateway, asker: Asker, bus: EmbeddedBus, policy_file: Path
) -> None:
    at = bus.endpoints
    flags = ["--policy", str(policy_file), "--subscribe-endpoint", at.subscribe, "--publish-endpoint", at.publish]
    command = (sys.executable, "-c", UNOWNED, "enforce", *flags)
    process = gateway.start(gateway.middle, *command, stderr=subprocess.PIPE, text=True)
    assert asker.ask(make_act(1), make_act(2, "drop_host")) == [("in place", None)] * 2
    gateway.nft("flush", "ruleset")
    assert not gateway.has_table()
    deadline = time.monotonic() + 10
    while not gateway.has_table() or len(elements(gateway)) != 2:
        assert time.monotonic() < deadline
    gateway.nft("flush", "ruleset")
    assert asker.ask(make_act(3)) == [("in place", None)]
    assert len(elements(gateway)) == 4
    assert len(elements(gateway, "hosts4")) == 1
    words = stop(process)
    assert "the kernel knows no tables that have an owner" in words
    assert "it is made anew with all rules" in words
    assert not gateway.has_table()


def test_a_flood_of_acts_is_all_answered(gateway: Gateway, start: Start, asker: Asker, policy_file: Path) -> None:
    policy_file.write_text(policy_text(rules_per_second=2000, rules_per_host=100_000))
    start()
    acts = [make_act(number) for number in range(2000)]
    assert asker.ask(*acts) == [("in place", None)] * 2000
    assert len(elements(gateway)) == 4000
    assert asker.take_away(*[act.id for act in acts[:64]]) == [("gone", None)] * 64
    assert len(elements(gateway)) == 4000 - 128


def test_two_zeeks_hear_their_own_answers(bus: EmbeddedBus, start: Start, asker: Asker) -> None:
    other = Asker(bus.endpoints, "ba9876543210")
    try:
        start()
        assert other.ask(make_act(1, id="ba9876543210.1")) == [("in place", None)]
        assert asker.ask(make_act(1)) == [("exists", None)]
        assert (len(other.said), len(asker.said)) == (1, 1)
        assert asker.reply_to == NODE
    finally:
        other.peer.close()
