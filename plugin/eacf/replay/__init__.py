"""Captures through a real bus and a real worker: what a sensor would have logged of them.

Reading order: `ledger` (the accounting, without I/O), `publisher` (the sensor's side of the bus), `process` (the
worker), `record` (flows as a file), `run` (all of it together); `zeek` (the same with a real Zeek for a sensor).
"""

from __future__ import annotations

from eacf.replay.ledger import Counts
from eacf.replay.result import Result
from eacf.replay.run import replay
from eacf.replay.sources import Capture
from eacf.replay.zeek import replay_with_zeek

__all__ = ["Capture", "Counts", "Result", "replay", "replay_with_zeek"]
