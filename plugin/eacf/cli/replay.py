"""``eacf replay``: captures in, a table or a log out."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from ipaddress import ip_network
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from eacf.errors import SettingError

if TYPE_CHECKING:
    from eacf.collector import Selection
    from eacf.replay import Result
    from eacf.verdict import Info

MAX_PORT = 65_535

DESCRIPTION = """\
Read captures and label their TLS connections, the way a sensor would: samples go to a worker over a real
ZeroMQ bus, on endpoints of its own, so a live sensor on this machine is never touched.

pcap and pcapng, plain or gzip. On a terminal the result is a table; piped, it is aligned text, a line a
connection; with --json, a JSON object a line, as in Zeek's logs."""

EPILOG = """\
examples:
  eacf replay office.pcap
  eacf replay monday.pcap.gz tuesday.pcapng --bundle office.eacf --log-dir logs
  eacf replay office.pcap --json | jq -r 'select(.label == "video") | ."id.resp_h"'
  zcat huge.pcap.gz | eacf replay - --log-dir .
  eacf replay --zeek office.pcap                     the same by a real Zeek, where there is one

exit codes: 0 every flow got its answer, 1 some did not, or a capture could not be read, 2 a mistake in the
command or a file name"""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command and its options."""
    parser = commands.add_parser(
        "replay",
        help="label the connections of captures",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("captures", nargs="+", metavar="CAPTURE", help="a capture file; - is standard input")
    parser.add_argument(
        "--bundle", type=Path, metavar="FILE", help="the model to ask: a file, or a shipped one (default: public)"
    )
    parser.add_argument("--json", action="store_true", help="JSON lines on standard output, and in eacf.log")
    parser.add_argument(
        "--log-dir", type=Path, metavar="DIR", help="write DIR/eacf.log in Zeek's format; one from before is replaced"
    )
    parser.add_argument(
        "--record",
        type=Path,
        metavar="FILE",
        help="write each flow as the bus message a real Zeek would send, JSON lines with the body in hex,"
        " collected with the default needs whatever the bundle asks for (.gz: compressed)",
    )
    parser.add_argument(
        "--flow-timeout",
        type=float,
        default=0.0,
        metavar="S",
        help="take the sample of a connection S seconds of packet time after its first data at the latest"
        " (default: 0, which waits for the sample to be complete or the connection to end)",
    )
    parser.add_argument(
        "--sample-one-in",
        type=int,
        default=1,
        metavar="N",
        help="take one connection in N, by a hash of addresses and ports, as EACF::sample_one_in does on a sensor"
        " (default: 1, every one)",
    )
    parser.add_argument(
        "--ignore-subnet",
        action="append",
        default=[],
        metavar="NET",
        help="leave connections with an end in this subnet alone; can be given several times",
    )
    parser.add_argument(
        "--ignore-port",
        action="append",
        default=[],
        metavar="PORT",
        help="leave connections to this port alone; can be given several times",
    )
    parser.add_argument(
        "--zeek",
        action="store_true",
        help="collect with the zeek on the PATH and eacf's scripts instead of our own collector, to compare the two",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Replay; returns the exit code."""
    from eacf.cli.table import summary
    from eacf.replay import replay, replay_with_zeek

    if options.zeek and options.record is not None:
        raise SettingError(
            "--record with --zeek: flows are recorded from our own collector only; leave one of them out"
        )
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    with ExitStack() as stack:
        sinks = [stack.enter_context(_on_stdout(options.json))]
        if options.log_dir is not None:
            sinks.append(stack.enter_context(_in_log(options.log_dir, options.json)))
        progress = stack.enter_context(_bar(options.captures, options.json))

        def on_info(info: Info) -> None:
            for sink in sinks:
                sink(info)

        replay_it = replay_with_zeek if options.zeek else partial(replay, record=options.record)
        result = replay_it(
            options.captures,
            bundle=options.bundle,
            flow_timeout_s=options.flow_timeout,
            selection=_selection(options),
            on_info=on_info,
            keep=False,
            progress=progress,
        )
    sys.stdout.flush()
    print(summary(result.counts), file=sys.stderr if options.json else sys.stdout)
    return _told(result)


def _selection(options: argparse.Namespace) -> Selection:
    """Which connections to collect."""
    from eacf.collector import Selection

    if options.sample_one_in < 1:
        raise SettingError(
            f"--sample-one-in {options.sample_one_in}: must be 1 (every connection) or a number above it"
        )
    subnets, ports = [], set()
    for net in options.ignore_subnet:
        try:
            subnets.append(ip_network(net, strict=False))
        except ValueError:
            raise SettingError(f"--ignore-subnet {net}: must read like 192.0.2.0/24 or 2001:db8::/32") from None
    for port in options.ignore_port:
        if not (port.isdecimal() and int(port) <= MAX_PORT):
            raise SettingError(f"--ignore-port {port}: must be a number of 0 to {MAX_PORT}")
        ports.add(int(port))
    return Selection(options.sample_one_in, tuple(subnets), frozenset(ports))


def _leave(number: int, _: FrameType | None) -> None:
    """End in order, the worker with us, and with the exit code that a shell expects after that signal."""
    sys.exit(128 + number)


def _told(result: Result) -> int:
    """Say what could not be read; returns the exit code."""
    for message in result.unreadable:
        print(f"eacf: {message}", file=sys.stderr)
    for name in result.damaged:
        print(f"eacf: {name}: damaged or cut off; what stands before the damage was read", file=sys.stderr)
    return 0 if result.counts.complete and not result.unreadable else 1


@contextmanager
def _on_stdout(as_json: bool) -> Iterator[Callable[[Info], None]]:
    """JSON lines, a table once all is known, or lines of text as they come."""
    from eacf.cli.table import Lines, Table
    from eacf.logs import JsonLog

    if as_json:
        with JsonLog(sys.stdout.buffer) as log:
            yield log.write
    elif sys.stdout.isatty():
        table = Table()
        try:
            yield table.add
        finally:
            table.show()  # after an error, too: what is known is worth seeing
    else:
        yield Lines().add


@contextmanager
def _in_log(folder: Path, as_json: bool) -> Iterator[Callable[[Info], None]]:
    """eacf.log in a folder, which is made where it is missing."""
    from eacf.logs import JsonLog, TsvLog

    try:
        folder.mkdir(parents=True, exist_ok=True)
        log = (JsonLog if as_json else TsvLog)(folder / "eacf.log")
    except OSError as error:
        raise SettingError(f"--log-dir {folder}: {error.strerror}; name a folder that can be written to") from error
    with log:
        yield log.write


@contextmanager
def _bar(captures: list[str], as_json: bool) -> Iterator[Callable[[int], None] | None]:
    """A progress bar on standard error where that is a terminal that nothing else writes lines to."""
    if not sys.stderr.isatty() or (as_json and sys.stdout.isatty()):
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    files = [Path(name) for name in captures]
    sized = all(path.is_file() for path in files)
    columns = (TextColumn("reading"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=sum(path.stat().st_size for path in files) if sized else None)
        yield lambda count: progress.update(task, completed=count)
