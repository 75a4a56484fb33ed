"""What the table costs a gateway: a TCP stream through it, with the agent's table and 10,000 rules in place and without, in turn.

Segments are those of a wire (1,500 bytes), so that each packet is looked up. Sender and receiver have a core each, which the gateway's
kernel shares with them; the ratio to the run without beside it is what counts, and the median of the rounds is told. A third variant has a
policy whose class has a mark: the first one switches connection tracking on, on a gateway that tracked nothing.
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

ROUNDS, RUN_S, SETTLE_S = 11, 3.0, 1.0
MARKED = """
[classes.low]
mark = 48
tc = "1:30"
"""


def measure(home: Path) -> dict[str, Any]:
    """Figures ``forwarding_*``."""
    rates: dict[str, list[float]] = {"without": [], "table": [], "marked": []}
    with ExitStack() as stack:
        made = stack.enter_context(network.namespaces())
        here = (sys.executable, str(Path(stream.__file__)))
        server = (*network.inside(made.server), *here, "server", network.SERVER, str(RUN_S))
        stack.enter_context(program(home / "server.log", *server))
        time.sleep(0.5)
        agents = {"table": rules.Agent(home / "table", made.gateway)}
        agents["marked"] = rules.Agent(home / "marked", made.gateway, rules.POLICY + MARKED)
        order = list(rates)
        for _ in range(ROUNDS):
            for variant in order:
                with ExitStack() as run:
                    if (agent := agents.get(variant)) is not None:
                        run.enter_context(agent.running())
                        agent.ask([] if agent.restored() else rules.acts(0, rules.AT_ONCE))
                        time.sleep(SETTLE_S)
                    rate = float(network.command(*network.inside(made.client), *here, "client", network.SERVER))
                rates[variant].append(rate)
            order.append(order.pop(0))
    ratios = {
        name: statistics.median(a / b for a, b in zip(rates[name], rates["without"], strict=True))
        for name in ("table", "marked")
    }
    return {
        "forwarding_ratio": ratios["table"],
        "forwarding_marked_ratio": ratios["marked"],
        "forwarding_mbit_without": statistics.median(rates["without"]),
        "forwarding_mbit_with": statistics.median(rates["table"]),
        "forwarding_rules": rules.AT_ONCE,
    }
