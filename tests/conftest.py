"""Fixtures that every part shares: where the real captures and recordings lie, and a real Zeek, if this machine has them.

A test marked ``zeek`` runs a real one; where none is on the PATH it is skipped, and the last lines of the run say how many
were.
"""

from __future__ import annotations

import json
import os
import secrets
import select
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from eacf.bus import Endpoints, Peer
from eacf.wire import (
    CONTROL_REQUEST_TOPIC,
    ZEEK_TOPIC,
    StatusRequest,
    decode_message,
    encode_status_reply,
    verdict_topic,
)

REPOSITORY = Path(__file__).resolve().parents[1]
# Under another name from here on: to the programs under test it would be a setting that does not exist. Processes of xdist inherit it.
SHARED = Path(os.environ.pop("EACF_SHARED", "") or os.environ.get("SHARED_OF_EACF", REPOSITORY.parent / "shared"))
os.environ["SHARED_OF_EACF"] = str(SHARED.resolve())
# How fast examples are made says how busy the machine is, and nothing of what is tested.
settings.register_profile("eacf", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("eacf")

LONGEST = (
    "tests/zeek/test_faults.py",
    "tests/replay/test_zeek.py",
    "tests/trainer/test_fit.py",
    "tests/zeek/test_package.py",
    "tests/worker/test_changes.py",
    "tests/record/test_loop.py",
)
"""Files that take longest, and so begin first where several run side by side (`--no-loadscope-reorder`)."""
NO_ZEEK = "needs a real zeek on the PATH, and there is none"


def pytest_configure() -> None:
    """A run in the background of a shell inherits SIGINT ignored, and so would every process that a test sends it to."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.nodeid.partition("::")[0], len(order)))
    if shutil.which("zeek") is None:
        for item in items:
            if item.get_closest_marker("zeek"):
                item.add_marker(pytest.mark.skip(reason=NO_ZEEK))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = [each for each in terminalreporter.stats.get("skipped", []) if NO_ZEEK in str(each.longrepr)]
    if skipped:
        terminalreporter.section("NOT RUN for want of a real Zeek", yellow=True, bold=True)
        terminalreporter.line(f"{len(skipped)} tests skipped: {NO_ZEEK}. Put zeek (8.0 or newer) there and run them.")


@pytest.fixture(scope="session")
def zeek() -> Path:
    """The real Zeek's program; for tests marked ``zeek``."""
    program = shutil.which("zeek")
    assert program is not None, "mark the test with pytest.mark.zeek, so that it is skipped where there is none"
    return Path(program)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real captures (``pcaps/``) and recordings of a real Zeek (``zeek-wire/``); skips where it is absent."""
    if not (SHARED / "zeek-wire").is_dir():
        pytest.skip(f"real captures and recordings are not at {SHARED} (set EACF_SHARED to where they are)")
    return SHARED


@pytest.fixture(scope="session")
def repository() -> Path:
    """Root of the working tree."""
    return REPOSITORY


class Manager:
    """What systemd is to a service: a datagram socket, and what was said there."""

    def __init__(self, name: str) -> None:
        """`name`: a path, or ``@name`` without one."""
        self.name = name
        self.said: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(name.replace("@", "\0", 1) if name.startswith("@") else name)

    def environment(self, watchdog_s: float) -> dict[str, str]:
        """Of a service that it starts."""
        return {"NOTIFY_SOCKET": self.name, "WATCHDOG_USEC": str(round(watchdog_s * 1e6))}

    def hear(self, wait_s: float = 0.0) -> list[str]:
        """What came since the last call, once something is there or the time is over."""
        new: list[str] = []
        while select.select([self._socket], [], [], 0.0 if new else wait_s)[0]:
            new.append(self._socket.recv(4096).decode())
        self.said += new
        return new

    def until(self, words: str, wait_s: float = 30.0) -> None:
        """Wait until this is part of what it has heard."""
        deadline = time.monotonic() + wait_s
        while not any(words in each for each in self.said):
            assert time.monotonic() < deadline, f"{words!r} was not said: {self.said}"
            self.hear(0.5)

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    """A service manager on a real socket; its name is no path unless a test asks for one."""
    made = Manager(f"@eacf-{secrets.token_hex(6)}" if request.param == "abstract" else str(tmp_path / "notify"))
    yield made
    made.close()


@pytest.fixture
def zeek_report() -> Callable[..., dict[str, Any]]:
    """Makes what a Zeek process reports of itself: live, one worker, all well; arguments replace fields."""

    def make(node: str = "zeek-1", **fields: Any) -> dict[str, Any]:
        return {
            "kind": "zeek",
            "node": node,
            "package": "0.1.0",
            "contract": 1,
            "zeek": "8.0.10",
            "backend": "ZEROMQ",
            "mode": "live",
            "cluster_node": "",
            "up_s": 3_700.0,
            "network_time": time.time() - 0.1,
            "wall_time": time.time(),
            "needs": {"payload_bytes": 0, "window_bytes": 0, "records": 8, "chunks": False},
            "max_payload": 3_000,
            "collected": 1_234,
            "labelled": 1_000,
            "abstained": 230,
            "refused": 0,
            "timed_out": 0,
            "no_worker": 0,
            "shed": 0,
            "pending": 4,
            "held": 3,
            "excluded": 2,
            "verdicts": {"unasked": 0, "twice": 0, "late": 0, "stranger": 0, "malformed": 0},
            "delayed": {"conn_log_waiting": 1, "conn_log_late": 0, "conn_log_overflow": 0},
            "workers": [
                {
                    "worker": "0123456789ab",
                    "model": "f4355264fef2",
                    "unanswered": 4,
                    "sent": 1_234,
                    "answered": 1_230,
                    "state": "ready",
                }
            ],
            "taps": [],
            **fields,
        }

    return make


def _now(clock: Callable[[], float]) -> float:
    return clock()


PretendZeek = Callable[[Endpoints, dict[str, Any]], AbstractContextManager[None]]


@pytest.fixture
def pretend_zeek() -> PretendZeek:
    """A Zeek process in so far as status goes: it listens where Zeek does and answers with this report, in which a clock
    (``time.time``) is read each time."""

    @contextmanager
    def run(endpoints: Endpoints, report: dict[str, Any]) -> Iterator[None]:
        ended, ready = threading.Event(), threading.Event()
        node = report["node"]

        def serve() -> None:
            topics = [verdict_topic(node), ZEEK_TOPIC, CONTROL_REQUEST_TOPIC]
            with Peer(endpoints, node, topics, watch=True) as peer:
                while not ended.is_set():
                    peer.wait(0.01)
                    for added, topic in peer.subscriptions():
                        if added and topic == CONTROL_REQUEST_TOPIC:
                            ready.set()
                    for frames in peer.receive(100):
                        request = decode_message(frames[3])
                        if isinstance(request, StatusRequest):
                            peer.send(
                                request.reply_to.encode(), encode_status_reply(node, json.dumps(report, default=_now))
                            )

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            assert ready.wait(20)
            yield
        finally:
            ended.set()
            thread.join()

    return run
