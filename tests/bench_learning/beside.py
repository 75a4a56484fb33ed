"""Lets the benchmark take what those beside it have: to be imported before it."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def find() -> None:
    """Their folders are looked into from here on."""
    for folder in ("bench", "bench_zeek"):
        if str(HERE.parent / folder) not in sys.path:
            sys.path.append(str(HERE.parent / folder))


find()
