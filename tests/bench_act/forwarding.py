"""What the table costs a gateway: a TCP stream through it, with the agent's table and 10,000 rules in place and without, in turn.

Segments are those of a wire (1,500 bytes), so that each packet is looked up. Sender, receiver and gateway share the machine's cores; the
ratio of a pair of runs beside each other is what counts, and the median of the pairs is told.
"""

from __future__ import annotations

import statistics
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import network
import rules
import stream
from programs import program

PAIRS, RUN_S = 8, 4.0


def measure(home: Path) -> dict[str, Any]:
    """Figures ``forwarding_*``."""
    with_table: list[float] = []
    without: list[float] = []
    with ExitStack() as stack:
        made = stack.enter_context(network.namespaces())
        here = (sys.executable, str(Path(stream.__file__)))
        stack.enter_context(
            program(home / "server.log", *network.inside(made.server), *here, "server", network.SERVER, str(RUN_S))
        )
        time.sleep(0.5)
        agent = rules.Agent(home, made.gateway)
        for pair in range(PAIRS):
            for table in (True, False) if pair % 2 else (False, True):
                with ExitStack() as run:
                    if table:
                        run.enter_context(agent.running())
                        agent.ask(rules.acts(0, rules.AT_ONCE) if not agent.restored() else [])
                    rate = float(network.command(*network.inside(made.client), *here, "client", network.SERVER))
                (with_table if table else without).append(rate)
    return {
        "forwarding_ratio": statistics.median(a / b for a, b in zip(with_table, without, strict=True)),
        "forwarding_mbit_without": statistics.median(without),
        "forwarding_mbit_with": statistics.median(with_table),
        "forwarding_rules": rules.AT_ONCE,
    }
