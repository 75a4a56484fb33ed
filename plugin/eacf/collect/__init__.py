"""A tap that keeps what it hears for learning: labelled by server names, bounded, in a database (:mod:`eacf.samples`).

Reading order: `writer` (the database, in a thread of its own), `loop` (the tap on a bus, which never waits for it).
"""

from __future__ import annotations

from eacf.collect.loop import Summary, collect
from eacf.collect.writer import Kept

__all__ = ["Kept", "Summary", "collect"]
