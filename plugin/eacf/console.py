"""What every command line of eacf does around a command: what goes wrong becomes one line and an exit code."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable

from eacf.errors import EacfError, SettingError

FINE, FAILED, MISTAKE = 0, 1, 2
"""Exit codes: done; the work failed; the command line, a setting or a file name was wrong."""
INTERRUPTED, PIPE_CLOSED = 130, 141
"""Exit codes that a shell expects after SIGINT and SIGPIPE."""


def tolerant_output() -> None:
    """Let standard output show what this terminal cannot: a server name may hold anything."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def guarded(program: str, run: Callable[[], int], interrupted: str = "") -> int:
    """Run a command; its exit code. `interrupted`: what is said after Ctrl-C; nothing if empty."""
    try:
        code = run()
        sys.stdout.flush()
    except SettingError as error:
        return _say(program, str(error), MISTAKE)
    except (EacfError, OSError) as error:
        if isinstance(error, BrokenPipeError):
            # Whoever read our output has gone (`| head`). Python would complain once more when it flushes at the end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return PIPE_CLOSED
        return _say(program, str(error), FAILED)
    except KeyboardInterrupt:
        return _say(program, interrupted, INTERRUPTED) if interrupted else INTERRUPTED
    return code


def _say(program: str, text: str, code: int) -> int:
    print(f"{program}: {text}", file=sys.stderr)
    return code
