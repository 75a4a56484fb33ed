"""Models over the bus: a bundle in parts to every worker, and signed orders about those that a worker has.

Reading order: `outcome` (what comes of it), `offers` (what is checked before a byte is taken), `incoming` (files that are
half here), `intake` (a worker's side), `push` (the sender's).
"""

from __future__ import annotations

from eacf.delivery.outcome import Outcome
from eacf.delivery.push import Progress, push, send_order

__all__ = ["Outcome", "Progress", "push", "send_order"]
