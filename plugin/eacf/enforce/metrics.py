"""The metrics of the agent, read from :meth:`eacf.enforce.agent.Agent.status`."""

from __future__ import annotations

from collections.abc import Iterator

from eacf.enforce.asked import KINDS
from eacf.metrics import Family, Point, Report
from eacf.metrics.family import by_name, counter, counters, gauge, info, latency

_E = "eacf_enforce_"

_OUTCOMES = ("in place", "exists", "refused")


def _acts(report: Report) -> Iterator[Point]:
    nothing = {(kind, outcome): 0 for kind in KINDS for outcome in _OUTCOMES}
    told = {(kind, outcome): count for kind, of in report["acts"].items() for outcome, count in of.items()}
    for labels, count in (nothing | told).items():
        yield Point(labels, count)


ENFORCE: tuple[Family, ...] = (
    Family(
        f"{_E}info",
        "",
        "The agent and its mode; always 1.",
        info("worker", "mode", "version"),
        ("agent", "mode", "version"),
    ),
    gauge(f"{_E}uptime_seconds", "seconds", "Time since the start.", "uptime_s"),
    counter(f"{_E}messages", "messages", "Messages taken from the bus.", "messages_in"),
    counters(
        f"{_E}malformed_messages",
        "messages",
        "Messages that say what the contract does not allow, by what is wrong.",
        "kind",
        "malformed",
    ),
    counter(f"{_E}unsent_messages", "messages", "Messages that the bus would not take.", "unsent"),
    Family(
        f"{_E}acts_total",
        "acts",
        "Acts that were asked for, by kind and outcome.",
        _acts,
        ("kind", "outcome"),
        "counter",
    ),
    counters(
        f"{_E}refused",
        "acts",
        "Acts that were refused, by reason (docs/enforce.md).",
        "reason",
        "refused",
        known=(
            "dry_run",
            "left_alone",
            "full",
            "too_fast",
            "host_full",
            "no_class",
            "blocked",
            "not_supported",
            "nft",
            "id",
        ),
    ),
    Family(f"{_E}rules", "rules", "Rules in place, by kind.", by_name("rules"), ("kind",)),
    gauge(f"{_E}rules_limit", "rules", "Rules that may be in place (bounds.rules).", "bounds", "rules"),
    gauge(f"{_E}restored_rules", "rules", "Rules that were put back at the start.", "restored"),
    counters(
        f"{_E}removed",
        "rules",
        "Rules that ended, by reason: asked (Zeek said so), expired, policy (read again, and it does not allow them), displaced (its host "
        "is full, and a newer block took its place), nft (the kernel would not have it back).",
        "reason",
        "removed",
        known=("asked", "expired", "policy", "displaced", "nft"),
    ),
    latency(f"{_E}latency_seconds", "From an act's arrival to its being in place."),
    counter(f"{_E}transactions", "transactions", "Transactions of nftables.", "nft", "transactions"),
    counter(f"{_E}failed_transactions", "transactions", "Of these refused by nft or the kernel.", "nft", "failed"),
    counter(f"{_E}nft_seconds", "seconds", "Time in transactions.", "nft", "seconds"),
    counter(f"{_E}rebuilt_tables", "times", "Times that the table was gone and was made anew.", "nft", "rebuilt"),
    counters(f"{_E}policy_reloads", "times", "Policies that were read again, by result.", "result", "reloads"),
    counter(f"{_E}cpu_seconds", "seconds", "CPU time of the process.", "process", "cpu_s"),
    gauge(f"{_E}memory_bytes", "bytes", "Resident memory of the process.", "process", "memory_bytes"),
)
