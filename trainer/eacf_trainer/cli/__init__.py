"""``eacf-train``. Each command is a module with `add` (its options) and a function that runs it.

What a command needs is imported when it runs: TensorFlow takes seconds.
"""

from __future__ import annotations

from eacf_trainer.cli.command import main

__all__ = ["main"]
