"""The command line. Each command is a module with `add` (its options) and a function that runs it.

What a command needs is imported when it runs, so that ``eacf --help`` is there at once.
"""

from __future__ import annotations

from eacf.cli.command import main

__all__ = ["main"]
