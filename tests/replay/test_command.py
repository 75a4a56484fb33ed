"""`eacf replay` as a shell runs it: exit codes, what goes to which stream, pipes, signals, a terminal."""

from __future__ import annotations

import gzip
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

import psutil
import pytest

MakeCapture = Callable[..., Path]
EACF = [sys.executable, "-m", "eacf"]


def run(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    command = [*EACF, "replay", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **options)  # type: ignore[call-overload,no-any-return]


def start(*arguments: object, **options: object) -> subprocess.Popen[bytes]:
    command = [*EACF, "replay", *map(str, arguments)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, **options)  # type: ignore[call-overload,no-any-return]


def worker_of(replay: subprocess.Popen[bytes]) -> psutil.Process:
    (child,) = psutil.Process(replay.pid).children()
    return child


def test_piped_it_prints_aligned_lines_and_a_summary(make_capture: MakeCapture, tiny: Path) -> None:
    done = run(make_capture(3), "--bundle", tiny)
    assert (done.returncode, done.stderr) == (0, "")
    heading, *lines, summary = done.stdout.splitlines()
    assert heading.split("  ")[0] == "originator"
    assert [line.split() for line in lines] == [
        [f"10.0.0.{n}:{20_000 + n}", "192.0.2.1:443", "web", "1.00", "www.example.com", "-"] for n in range(3)
    ]
    assert len({line.index("www") for line in [heading.replace("server name", "www"), *lines]}) == 1
    assert summary == (
        "3 flows, 3 verdicts (3 labelled, 0 abstained, 0 refused), 0 timed out, 0 dropped; accuracy against SNI:"
        " 100.0% (3 of 3 labelled flows whose server name the bundle knows)"
    )


def test_json_lines_and_a_log_beside_them(make_capture: MakeCapture, tiny: Path, tmp_path: Path) -> None:
    done = run(make_capture(3), "--bundle", tiny, "--json", "--log-dir", tmp_path / "new" / "logs")
    assert done.returncode == 0
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["label"] for line in lines] == ["web"] * 3
    assert list(lines[0])[:6] == ["ts", "uid", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p"]
    assert (tmp_path / "new" / "logs" / "eacf.log").read_text() == done.stdout
    assert done.stderr.startswith("3 flows, 3 verdicts")


def test_the_log_is_zeeks_tsv_and_replaces_one_from_before(
    make_capture: MakeCapture, tiny: Path, tmp_path: Path
) -> None:
    (tmp_path / "eacf.log").write_text("from before\n")
    assert run(make_capture(2), "--bundle", tiny, "--log-dir", tmp_path).returncode == 0
    lines = (tmp_path / "eacf.log").read_text().splitlines()
    assert lines[0] == "#separator \\x09"
    assert lines[-1].startswith("#close\t")
    columns = next(line for line in lines if line.startswith("#fields")).split("\t")[1:]
    rows = [dict(zip(columns, line.split("\t"), strict=True)) for line in lines if not line.startswith("#")]
    assert [(row["label"], row["sni_label"], row["reason"]) for row in rows] == [("web", "web", "-")] * 2


def test_standard_input_compressed_or_not(make_capture: MakeCapture, tiny: Path) -> None:
    raw = make_capture(3).read_bytes()
    for data in (raw, gzip.compress(raw)):
        replay = start("-", "--bundle", tiny)
        out, errors = replay.communicate(data, timeout=60)
        assert (replay.returncode, errors) == (0, b"")
        assert b"3 flows, 3 verdicts" in out


def test_what_comes_in_slowly_is_answered_while_it_comes(make_capture: MakeCapture, tiny: Path) -> None:
    replay = start("-", "--bundle", tiny)
    assert replay.stdin is not None
    assert replay.stdout is not None
    replay.stdin.write(make_capture(2).read_bytes())
    replay.stdin.flush()
    lines = [replay.stdout.readline() for _ in range(3)]  # blocks for ever (the test's timeout) if they are held back
    assert [b"www.example.com" in line for line in lines] == [False, True, True]
    replay.stdin.close()
    assert b"2 flows" in replay.stdout.read()
    assert replay.wait(60) == 0
    close(replay)


def close(replay: subprocess.Popen[bytes]) -> None:
    pipes: list[IO[bytes] | None] = [replay.stdin, replay.stdout, replay.stderr]
    for pipe in pipes:
        if pipe is not None:
            pipe.close()


def halved(make_capture: MakeCapture) -> tuple[bytes, bytes]:
    whole = make_capture(400).read_bytes()
    return whole[: len(whole) // 2], whole[len(whole) // 2 :]


def test_a_worker_killed_on_the_way_ends_it_with_1(make_capture: MakeCapture, tiny: Path) -> None:
    first, second = halved(make_capture)
    replay = start("-", "--bundle", tiny)
    assert replay.stdin is not None
    assert replay.stdout is not None
    replay.stdin.write(first)
    replay.stdin.flush()
    replay.stdout.readline()
    worker_of(replay).kill()
    begun = time.monotonic()
    _, errors = replay.communicate(second, timeout=30)
    assert time.monotonic() - begun < 10
    assert replay.returncode == 1
    assert b"eacf: the worker was ended by SIGKILL" in errors
    assert b"Traceback" not in errors


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_a_signal_ends_it_quietly_and_the_worker_too(
    number: signal.Signals, code: int, make_capture: MakeCapture, tiny: Path
) -> None:
    first, _ = halved(make_capture)
    replay = start("-", "--bundle", tiny)
    assert replay.stdin is not None
    assert replay.stdout is not None
    replay.stdin.write(first)
    replay.stdin.flush()
    replay.stdout.readline()
    worker = worker_of(replay)
    replay.send_signal(number)
    assert replay.wait(15) == code
    assert replay.stderr is not None
    assert replay.stderr.read() == b""
    worker.wait(15)
    close(replay)


def test_a_reader_that_leaves_ends_it_quietly(make_capture: MakeCapture, tiny: Path) -> None:
    replay = start(make_capture(400), "--bundle", tiny)
    assert replay.stdout is not None
    replay.stdout.readline()
    replay.stdout.close()
    assert replay.wait(30) == 141
    assert replay.stderr is not None
    assert replay.stderr.read() == b""
    close(replay)


def test_subnets_and_ports_are_left_alone(make_capture: MakeCapture, tiny: Path) -> None:
    some = run(
        make_capture(4), "--bundle", tiny, "--json", "--ignore-subnet", "10.0.0.2/31", "--ignore-subnet", "::/128"
    )
    assert [json.loads(line)["id.orig_h"] for line in some.stdout.splitlines()] == ["10.0.0.0", "10.0.0.1"]
    none = run(make_capture(4), "--bundle", tiny, "--json", "--ignore-port", "80", "--ignore-port", "443")
    assert (none.returncode, none.stdout) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["nowhere.pcap"], 2, "nowhere.pcap: no such file"),
        (["."], 2, "folder"),
        (["small.pcap", "--bundle", "nowhere.eacf"], 2, "--bundle nowhere.eacf"),
        (["small.pcap", "--bundle", "small.pcap"], 1, "small.pcap"),
        (["small.pcap", "--flow-timeout", "-3"], 2, "--flow-timeout -3"),
        (["small.pcap", "--flow-timeout", "soon"], 2, "soon"),
        (["small.pcap", "--sample-one-in", "0"], 2, "--sample-one-in 0"),
        (["small.pcap", "--ignore-subnet", "10.0.0.0/33"], 2, "--ignore-subnet 10.0.0.0/33"),
        (["small.pcap", "--ignore-port", "https"], 2, "--ignore-port https"),
        (["small.pcap", "--ignore-port", "65536"], 2, "--ignore-port 65536"),
        (["small.pcap", "--log-dir", "small.pcap"], 2, "--log-dir small.pcap"),
        (["small.pcap", "--record", "nowhere/flows"], 2, "--record nowhere/flows"),
        (["text.pcap"], 1, "text.pcap"),
        (["text.pcap", "small.pcap"], 1, "text.pcap"),
        (["cut.pcap"], 0, "cut.pcap: damaged"),
        ([], 2, "CAPTURE"),
    ],
)
def test_exit_codes(
    arguments: list[str], code: int, words: str, make_capture: MakeCapture, tiny: Path, tmp_path: Path
) -> None:
    small = make_capture(2)
    (tmp_path / "text.pcap").write_text("this is no capture at all")
    (tmp_path / "cut.pcap").write_bytes(small.read_bytes()[:-10])
    if "--bundle" not in arguments:
        arguments = [*arguments, "--bundle", str(tiny)]
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == code
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_on_a_terminal_there_is_a_table(make_capture: MakeCapture, tiny: Path) -> None:
    here, there = pty.openpty()
    environment = {**os.environ, "COLUMNS": "120", "TERM": "xterm"}
    command = [*EACF, "replay", str(make_capture(250)), "--bundle", str(tiny)]
    replay = subprocess.Popen(command, stdin=there, stdout=there, stderr=there, env=environment)
    os.close(there)
    seen = b""
    try:
        while part := os.read(here, 65_536):
            seen += part
    except OSError:
        pass  # EIO: the other end was closed
    assert replay.wait(30) == 0
    os.close(here)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen.decode())
    assert text.count("www.example.com") == 200
    assert "and 50 more" in text
    assert "250 flows, 250 verdicts" in text
    assert text.index("10.0.0.0:20000") < text.index("10.0.0.199:20199")


def test_a_server_name_cannot_steer_the_terminal(make_capture: MakeCapture, tiny: Path) -> None:
    done = run(make_capture(1, server="a\x1b[31m[bold]\n.example"), "--bundle", tiny)
    assert "a\\x1b[31m[bold]\\x0a.example" in done.stdout
    assert "\x1b" not in done.stdout
