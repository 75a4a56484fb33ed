"""The worker: the engine with a bus on one side, models on the other, and signals.

Reading order: `shelf` (models from files and from the store), `changes` (what takes long, in a thread; the swap, between
two batches), `loop` (all of it together).
"""

from __future__ import annotations

from eacf.worker.loop import run

__all__ = ["run"]
