"""The agent's account for Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

Report = Mapping[str, Any]
"""What :meth:`eacf.enforce.agent.Agent.status` returns."""

_COUNTERS: tuple[tuple[str, str, Callable[[Report], float]], ...] = (
    ("messages", "Messages taken from the bus.", lambda report: report["messages_in"]),
    ("unsent_messages", "Messages that the bus would not take.", lambda report: report["unsent"]),
    ("transactions", "Transactions of nftables.", lambda report: report["nft"]["transactions"]),
    ("failed_transactions", "Of these refused by nft or the kernel.", lambda report: report["nft"]["failed"]),
    ("nft_seconds", "Time in transactions.", lambda report: report["nft"]["seconds"]),
    ("rebuilt_tables", "Times that the table was gone and was made anew.", lambda report: report["nft"]["rebuilt"]),
    ("cpu_seconds", "CPU time of the process.", lambda report: report["process"]["cpu_s"]),
)
_GAUGES: tuple[tuple[str, str, Callable[[Report], float]], ...] = (
    ("uptime_seconds", "Time since the start.", lambda report: report["uptime_s"]),
    ("rules_limit", "Rules that may be in place (bounds.rules).", lambda report: report["bounds"]["rules"]),
    ("restored_rules", "Rules that were put back at the start.", lambda report: report["restored"]),
    ("memory_bytes", "Resident memory of the process.", lambda report: report["process"]["memory_bytes"]),
)
_BY_NAME = (
    ("malformed_messages", "Messages that the contract does not allow, by kind.", "kind", "malformed"),
    ("refused", "Acts that were refused, by reason.", "reason", "refused"),
    ("removed", "Rules that ended, by reason.", "reason", "removed"),
    ("policy_reloads", "Policies that were read again, by result.", "result", "reloads"),
)


class EnforceCollector(Collector):
    """Turns a report into metrics each time that Prometheus asks."""

    def __init__(self, report: Callable[[], Report]) -> None:
        self._report = report

    def collect(self) -> Iterable[Metric]:
        report = self._report()
        info = GaugeMetricFamily("eacf_enforce_info", "The agent and its mode; always 1.", labels=("agent", "mode"))
        info.add_metric((report["worker"], report["mode"]), 1)
        yield info
        for name, text, read in _COUNTERS:
            yield CounterMetricFamily(f"eacf_enforce_{name}", text, value=read(report))
        for name, text, read in _GAUGES:
            yield GaugeMetricFamily(f"eacf_enforce_{name}", text, value=read(report))
        for name, text, label, key in _BY_NAME:
            family = CounterMetricFamily(f"eacf_enforce_{name}", text, labels=(label,))
            for each, count in report[key].items():
                family.add_metric((each,), count)
            yield family
        acts = CounterMetricFamily("eacf_enforce_acts", "Acts, by kind and outcome.", labels=("kind", "outcome"))
        for kind, outcomes in report["acts"].items():
            for outcome, count in outcomes.items():
                acts.add_metric((kind, outcome), count)
        yield acts
        rules = GaugeMetricFamily("eacf_enforce_rules", "Rules in place, by kind.", labels=("kind",))
        for kind, count in report["rules"].items():
            rules.add_metric((kind,), count)
        yield rules
        ever = report["latency_ms"]["ever"]
        buckets = [(f"{bound:.6g}", count) for bound, count in ever["buckets_s"]]
        yield HistogramMetricFamily(
            "eacf_enforce_latency_seconds",
            "From an act's arrival to its being in place.",
            buckets=[*buckets, ("+Inf", ever["flows"])],
            sum_value=ever["sum_s"],
        )
