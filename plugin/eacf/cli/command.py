"""``eacf``: picks the command, and turns what goes wrong into one line and an exit code."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence

import eacf
from eacf.cli import bundle, doctor, record, replay, status, worker
from eacf.errors import EacfError, SettingError

FINE, FAILED, MISTAKE = 0, 1, 2
"""Exit codes: done; the work failed; the command line, a setting or a file name was wrong."""
INTERRUPTED, PIPE_CLOSED = 130, 141
"""Exit codes that a shell expects after SIGINT and SIGPIPE."""

DESCRIPTION = """\
Name the application behind an encrypted connection.

A sensor (Zeek, or a capture read by `eacf replay`) sends the first bytes or record lengths of each TLS
connection over a ZeroMQ bus; a worker answers with a label, or says that it does not know."""

EPILOG = """\
examples:
  eacf replay office.pcap                    label the connections of a capture
  eacf replay *.pcap.gz --log-dir .          several captures; eacf.log in this folder, as Zeek writes logs
  tcpdump -w - port 443 | eacf replay -      from standard input, until it ends
  eacf worker --bundle office.eacf           serve the Zeek on this machine until SIGTERM
  eacf record --bus --out office.jsonl.gz    write what the sensors see to a file, for the trainer
  eacf status                                what the workers and Zeek processes on the bus are doing
  eacf doctor                                what is wrong where no label appears, and the remedy

exit codes: 0 fine, 1 the work failed, 2 a mistake in the command, a setting or a file name"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code. argparse itself exits with 2 on a wrong option."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a server name may hold what this terminal cannot show
    options = _parser().parse_args(arguments)
    try:
        code: int = options.run(options)
        sys.stdout.flush()
    except SettingError as error:
        return _say(error, MISTAKE)
    except EacfError as error:
        return _say(error, FAILED)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone (`| head`). Python would complain once more when it flushes at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    except OSError as error:
        return _say(error, FAILED)
    return code


def _say(error: Exception, code: int) -> int:
    print(f"eacf: {error}", file=sys.stderr)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="eacf", description=DESCRIPTION, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"eacf {eacf.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in (replay, worker, record, status, doctor, bundle):
        module.add(commands)
    return parser
