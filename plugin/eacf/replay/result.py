"""What a replay found."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from eacf.flow import Needs
from eacf.replay.ledger import Counts
from eacf.verdict import Info


@dataclass
class Result:
    """What a replay found."""

    infos: list[Info] = field(default_factory=list)
    """A line of eacf.log for each flow, in the order in which they were settled; empty if not kept."""
    counts: Counts = field(default_factory=Counts)
    collected: Counter[str] = field(default_factory=Counter)
    """The collector's counters, summed over the captures."""
    unreadable: list[str] = field(default_factory=list)
    """One message for each capture that could not be read at all."""
    damaged: list[str] = field(default_factory=list)
    """Names of captures that were read up to where they are damaged."""
    model: str = ""
    """Id of the bundle that the worker serves."""
    worker: str = ""
    needs: Needs = field(default_factory=Needs)
    """What was collected, as the worker asked."""
