"""`python packaging/metrics_page.py`: docs/metrics.md, every metric of every process, made from where each is declared.

Those of our own processes are declared as `eacf.metrics.Family`, those of Zeek in zeek/telemetry.zeek. Tests hold the page to the
code, and to what real processes say when they are asked.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "metrics.md"
SCRIPT = ROOT / "zeek" / "telemetry.zeek"
REGISTERED = re.compile(
    r'register_(counter|gauge|histogram)_family\(Telemetry::MetricOpts\(\$prefix="(\w+)", \$name="(\w+)", \$unit="(\w*)",\s*'
    r'(?:\$label_names=vector\(([^)]*)\),\s*)?\$help_text="([^"]+)"\)\)'
)
HEAD = """\
# Metrics

Every metric that a process of eacf tells Prometheus, made from the code by `make docs`. How to have them scraped, rules and a dashboard: [monitoring.md](monitoring.md).

A counter grows from 0 since the process began; a gauge is what there is now; a histogram is asked for as `NAME_bucket`, `NAME_sum` and `NAME_count`. A value that is not known (no flow with a known
name yet, no shadow, no store) is left out, so a missing series is not a 0. `share` is from 0 to 1. Prometheus adds the labels `job` and `instance` to all of them.
"""
SECTIONS = {
    "worker": ("Worker", "`eacf worker --metrics-port N`, on 127.0.0.1."),
    "zeek": (
        "Zeek",
        "Telemetry of our package (`zeek/telemetry.zeek`) in each Zeek process, with `redef Telemetry::metrics_port = 9911/tcp;` "
        "(in a cluster: the port of the node's `metrics_port`). Zeek adds the label `node` where its telemetry has a name for the "
        "process. On the manager of a cluster only `eacf_zeek_agents` is there, on loggers and proxies nothing.",
    ),
    "enforce": ("Agent on a gateway", "`eacf enforce --metrics-port N`, on 127.0.0.1."),
    "relay": ("Relay", "`eacf relay --metrics-port N`, on 127.0.0.1."),
}
ACCOUNTS = """
## Accounts

Two sums are right at every moment, and a rule watches each:

    eacf_worker_flows_total = eacf_worker_verdicts_total + sum(eacf_worker_dropped_flows_total)
                              + eacf_worker_queue_flows + eacf_worker_in_hand_flows + eacf_worker_held_verdicts
    eacf_zeek_collected_flows_total = sum(eacf_zeek_settled_flows_total) + eacf_zeek_pending_flows

The first is read by a thread beside the one that works, so one scrape in many may be off by a batch; a gap that stays is an error of ours.

## Zeek's own, about the bus

Not ours, and worth a rule: `zeek_cluster_zeromq_xpub_drops_total` and `zeek_cluster_zeromq_onloop_drops_total` (messages that Zeek's ZeroMQ backend dropped on their way out and in).
"""


class Metric(NamedTuple):
    """One row."""

    name: str
    kind: str
    unit: str
    labels: tuple[str, ...]
    text: str


def of_zeek(script: str) -> Iterator[Metric]:
    """The metrics that a script registers, named as Zeek names them to Prometheus."""
    for kind, prefix, name, unit, labels, text in REGISTERED.findall(script):
        full = "_".join(filter(None, (prefix, name, unit, "total" if kind == "counter" else "")))
        names = tuple(re.findall(r'"(\w+)"', labels))
        last = name.rpartition("_")[2]
        yield Metric(full, kind, unit or (last if last.endswith("s") and "policy" not in name else ""), names, text)


def of_python(process: str) -> Iterator[Metric]:
    """The metrics of one of our own processes."""
    from eacf.enforce.metrics import ENFORCE
    from eacf.metrics.worker import WORKER
    from eacf.relay.metrics import RELAY

    for each in {"worker": WORKER, "enforce": ENFORCE, "relay": RELAY}[process]:
        yield Metric(each.name, each.kind, each.unit, each.labels, each.text)


def metrics(process: str) -> list[Metric]:
    """Those of a process, in the order of their declarations."""
    return list(of_zeek(SCRIPT.read_text()) if process == "zeek" else of_python(process))


def table(rows: Iterable[Metric]) -> str:
    """As Markdown."""
    lines = ["| metric | type | unit | labels | what it is |", "|---|---|---|---|---|"]
    for each in rows:
        labels = ", ".join(f"`{label}`" for label in each.labels)
        lines.append(f"| `{each.name}` | {each.kind} | {each.unit} | {labels} | {each.text.replace('|', '&#124;')} |")
    return "\n".join(lines) + "\n"


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    for process, (title, where) in SECTIONS.items():
        parts.append(f"\n## {title}\n\n{where}\n\n{table(metrics(process))}")
    return "".join([*parts, ACCOUNTS])


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "plugin"))
    PAGE.write_text(page())
