"""A replay whose sensor is a real Zeek: it reads the captures one by one with our scripts, beside one worker, and its
eacf.log is read back.

Zeek carries the bus, on endpoints of its own, so that a live sensor on this machine is not touched. It reads no site
policy, no checksums (``-C``), and writes into a folder that is gone afterwards.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from threading import Thread
from typing import IO, BinaryIO, cast

from eacf import bundle as bundles
from eacf import logread
from eacf.bus import Endpoints, private_folder
from eacf.collector import ALL, Selection
from eacf.errors import CaptureError, SensorError
from eacf.replay import sources
from eacf.replay.ledger import VERDICT_TIMEOUT_S
from eacf.replay.process import Child, WorkerProcess
from eacf.replay.result import Result
from eacf.replay.sources import Capture
from eacf.sensor import fit_zeek, zeek_scripts
from eacf.verdict import Info

WORKER_S = 60
"""Zeek holds the packets so long until the worker is there; loading LiteRT on a busy machine takes seconds."""
LOOK_S = 0.25
"""While Zeek runs, the worker is looked after so often."""
FEED_S = 1.0
"""Once Zeek has ended, time for what feeds it to notice."""
GZIP = b"\x1f\x8b"
BLOCK = 1 << 16
"""Bytes that are read at once of what is fed to Zeek."""

PROGRAM = """
import ctypes, os, signal, sys
parent = int(sys.argv.pop(1))
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    if os.getppid() != parent:  # it was dead before that
        sys.exit(1)
os.execv(sys.argv[1], sys.argv[1:])
"""
"""Becomes another program, which is killed when we die, however that happens (prctl(2), PR_SET_PDEATHSIG). Our id is its first argument."""


def replay_with_zeek(
    captures: Capture | Iterable[Capture],
    *,
    bundle: Path | str | None = None,
    flow_timeout_s: float = 0.0,
    selection: Selection = ALL,
    on_info: Callable[[Info], None] | None = None,
    keep: bool = True,
    progress: Callable[[int], None] | None = None,
) -> Result:
    """What :func:`eacf.replay.replay` does, with the `zeek` on the PATH in the place of our collector.

    The arguments are as there; `on_info` gets the lines of a capture when Zeek is through with it. A capture on which
    Zeek fails is among the `unreadable`, with Zeek's last words, and what it logged before counts. Of Zeek's own
    counters the result holds none.

    Raises also :class:`SettingError` where there is no zeek that runs our scripts.
    """
    files = sources.listed(captures)
    sources.check(files, flow_timeout_s)
    path = sources.bundle_path(bundle)
    zeek, scripts = fit_zeek(), zeek_scripts()
    result = Result(model=(loaded := bundles.load(path)).id, needs=loaded.needs)

    def settled(info: Info) -> None:
        result.counts.logged(info)
        result.worker = info.worker or result.worker
        if keep:
            result.infos.append(info)
        if on_info is not None:
            on_info(info)

    with _folder() as folder:
        endpoints = Endpoints(f"ipc://{folder}/subscribe", f"ipc://{folder}/publish")
        settings = folder / "settings.zeek"
        settings.write_text("\n".join(_settings(flow_timeout_s, selection)) + "\n")
        with WorkerProcess(path, endpoints) as worker:
            read = 0
            for source in files:
                try:
                    for info in _lines(source, [str(zeek), str(scripts), str(settings)], folder, endpoints, worker):
                        settled(info)
                except SensorError as error:
                    result.unreadable.append(f"{sources.name_of(source)}: {error}")
                read += _size(source)
                if progress is not None:
                    progress(read)
    if len(result.unreadable) == len(files):
        raise CaptureError("\n".join(result.unreadable))
    return result


def _settings(flow_timeout_s: float, selection: Selection) -> Iterator[str]:
    """Our options in Zeek's words."""
    yield "redef LogAscii::use_json = T;"
    yield f"redef EACF::capture_wait = {WORKER_S} secs;"
    yield f"redef EACF::verdict_timeout = {VERDICT_TIMEOUT_S:f} secs;"
    yield f"redef EACF::flow_timeout = {flow_timeout_s:f} secs;"
    yield f"redef EACF::sample_one_in = {selection.sample_one_in};"
    for net in selection.ignore_subnets:
        prefix = net.network_address if net.version == 4 else f"[{net.network_address}]"
        yield f"redef EACF::ignore_subnets += {{ {prefix}/{net.prefixlen} }};"
    for port in sorted(selection.ignore_ports):
        yield f"redef EACF::ignore_ports += {{ {port}/tcp }};"


def _lines(
    source: Capture, command: list[str], folder: Path, endpoints: Endpoints, worker: WorkerProcess
) -> Iterator[Info]:
    """The lines of eacf.log that Zeek writes of a capture. SensorError, after those that there are, where it fails."""
    logs = folder / "logs"
    logs.mkdir()
    with _opened(source) as (name, piped):
        failure = None
        with ZeekProcess(command, name, logs, endpoints, piped=piped is not None) as zeek:
            if piped is not None:
                feeder = Thread(target=_feed, args=(piped, zeek.stdin), name="eacf-feed", daemon=True)
                feeder.start()
            try:
                while not zeek.wait(LOOK_S):
                    worker.check()
            except SensorError as error:
                failure = error
            if piped is not None:
                feeder.join(FEED_S)  # not for ever: it may wait for standard input
    log = logs / "eacf.log"
    if log.exists():
        with log.open("rb") as lines:
            yield from logread.read(lines, str(log))
    shutil.rmtree(logs)
    if failure is not None:
        raise failure


class ZeekProcess(Child):
    """``zeek -C -r`` as a child, with its logs in a folder and its bus at these endpoints."""

    what = "zeek"
    failure = SensorError

    def __init__(
        self, command: list[str], capture: str, folder: Path, endpoints: Endpoints, *, piped: bool = False
    ) -> None:
        """`command`: the program and the scripts; `capture`: a path, or "-" for its standard input."""
        zeek, *scripts = command
        become = [sys.executable, "-I", "-S", "-c", PROGRAM, str(os.getpid())]
        environment = {
            "EACF_SUBSCRIBE_ENDPOINT": endpoints.subscribe,
            "EACF_PUBLISH_ENDPOINT": endpoints.publish,
        }
        super().__init__([*become, zeek, "-C", "-r", capture, *scripts], environment, folder=folder, piped=piped)


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    folder = private_folder()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _opened(source: Capture) -> Iterator[tuple[str, BinaryIO | None]]:
    """What to call the capture to Zeek, and what is to be fed to it: a plain file it reads by itself."""
    if not isinstance(source, (str, Path)):
        yield "-", source
    elif str(source) == "-":
        # Unbuffered and never closed: whoever closes a buffered file waits for the thread that reads from it.
        yield "-", cast(BinaryIO, sources.opened(source))
    else:
        with Path(source).open("rb") as file:
            packed = file.read(len(GZIP)) == GZIP
            file.seek(0)
            yield ("-", file) if packed else (str(Path(source).resolve()), None)


def _feed(source: BinaryIO, sink: IO[bytes]) -> None:
    """Copy a capture, unpacked if it is packed, until its end, its damage, or Zeek's end; Zeek tells of damage itself."""
    # ValueError: the source was closed, since Zeek has ended.
    with contextlib.suppress(OSError, ValueError, zlib.error), sink:
        head = b""
        while len(head) < len(GZIP) and (block := source.read(len(GZIP) - len(head))):
            head += block
        blocks = itertools.chain([head], iter(lambda: source.read(BLOCK), b""))
        for block in _unpacked(blocks) if head == GZIP else blocks:
            left = memoryview(block)
            while left:
                left = left[sink.write(left) :]


def _unpacked(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The content of a gzip file, which may have several members (RFC 1952 section 2.2)."""
    member = zlib.decompressobj(zlib.MAX_WBITS | 16)
    for block in blocks:
        yield member.decompress(block)
        while member.eof and member.unused_data:
            rest = member.unused_data
            member = zlib.decompressobj(zlib.MAX_WBITS | 16)
            yield member.decompress(rest)


def _size(source: Capture) -> int:
    """Bytes of a capture's file; 0 where that cannot be told."""
    if not isinstance(source, (str, Path)) or str(source) == "-":
        return 0
    return Path(source).stat().st_size
