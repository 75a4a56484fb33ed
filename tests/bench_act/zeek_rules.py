"""Whether a rule is lost where a real Zeek asks: 10,000 `NetControl::drop_connection` at once, then 500 new ones a second.

Zeek lets 10,000 acts wait for an answer (`EACF::max_waiting_acts`), so that 10,000 at once are just taken; what would be one too many is
refused by NetControl, asked for again, and counted (`zeek_rules_asked_again`). A rule is lost where netcontrol.log has no success of it, or
where the kernel has not both directions of it.
"""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import network
import rules
from programs import EACF, program, until

from eacf.sensor import zeek_scripts

ASK = Path(__file__).with_name("ask.zeek")
LONGEST_S = rules.SECONDS + 90.0


def measure(home: Path) -> dict[str, Any]:
    """Figures ``zeek_rules_*``."""
    policy, logs = home / "policy.toml", home / "zeek"
    policy.write_text(rules.POLICY)
    logs.mkdir()
    total = rules.AT_ONCE + rules.A_SECOND * rules.SECONDS
    with ExitStack() as stack:
        made = stack.enter_context(network.namespaces())
        gateway = network.inside(made.gateway)
        state = ("--policy", str(policy), "--state", str(home))
        stack.enter_context(program(home / "enforce.log", *gateway, *EACF, "enforce", *state))
        told = [f"{name}={getattr(rules, name)}" for name in ("AT_ONCE", "A_SECOND", "SECONDS")]
        sensor = ("env", *told, "zeek", "-C", "-i", network.LAN, str(zeek_scripts()), str(ASK), "LogAscii::use_json=T")
        stack.enter_context(program(home / "zeek.log", *gateway, *sensor, folder=logs))
        until((logs / "done").exists, f"Zeek has not asked for everything; see {home}", LONGEST_S)
        kernel = rules.in_kernel(made.gateway)
        time.sleep(1.5)  # Zeek's log is written behind
    return _figures(logs, total, kernel)


def _figures(logs: Path, total: int, kernel: int) -> dict[str, Any]:
    again = 0
    rows: dict[int, tuple[float, float, str]] = {}
    for line in (logs / "asked.tsv").read_text().splitlines():
        first, *rest = line.split("\t")
        if first == "asked again":
            again = int(rest[0])
        else:
            rows[int(first)] = (float(rest[0]), float(rest[1]), rest[2])
    in_log = {
        said["rule_id"]
        for said in map(json.loads, (logs / "netcontrol.log").read_text().splitlines())
        if said.get("cmd") == "ADD" and said["state"] == "NetControl::SUCCEEDED"
    }
    came = {number: row for number, row in rows.items() if row[2] == "in place"}
    first = [row for number, row in came.items() if number < rules.AT_ONCE]
    later = sorted(row[1] - row[0] for number, row in came.items() if number >= rules.AT_ONCE)
    return {
        "zeek_rules_asked": total,
        "zeek_rules_asked_again": again,
        "zeek_rules_lost": total - min(len(came), len(in_log), kernel // 2),
        "zeek_rules_at_once_s": max(row[1] for row in first) - min(row[0] for row in first),
        "zeek_rules_answer_p50_ms": 1e3 * later[len(later) // 2],
        "zeek_rules_answer_p99_ms": 1e3 * later[int(len(later) * 0.99)],
    }
