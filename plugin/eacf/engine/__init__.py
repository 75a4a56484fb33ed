"""The worker without I/O: messages in, messages out, time as an argument.

Reading order: `queue` (flows that wait, undecoded), `outbox` (verdicts that wait for company), `account` and `notices`
(what is told of it), `engine` (all of it together).
"""

from __future__ import annotations

from eacf.engine.engine import Engine, Outgoing

__all__ = ["Engine", "Outgoing"]
