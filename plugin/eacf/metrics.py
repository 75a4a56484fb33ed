"""The worker's account for Prometheus, on 127.0.0.1 alone. A thread of its own that only reads numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import accumulate
from typing import Any

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from eacf.errors import SettingError

ADDRESS = "127.0.0.1"
Report = Mapping[str, Any]
"""What :meth:`eacf.engine.Engine.status` returns."""

_COUNTERS: tuple[tuple[str, str, Callable[[Report], float]], ...] = (
    ("eacf_messages", "Messages taken from the bus.", lambda report: report["messages_in"]),
    ("eacf_flows", "Flows in them.", lambda report: report["flows_in"]),
    ("eacf_verdicts", "Verdicts handed to the bus.", lambda report: report["verdicts_out"]),
    ("eacf_abstained", "Verdicts without a label: not sure enough.", lambda report: report["abstained"]),
    (
        "eacf_refused",
        "Verdicts without a label: the sample lacks what the model needs.",
        lambda report: report["refused"],
    ),
    ("eacf_unsent_messages", "Other messages that the bus would not take.", lambda report: report["unsent"]),
    ("eacf_topic_overflows", "Times that verdicts went out early.", lambda report: report["topic_overflows"]),
    ("eacf_invoke_seconds", "Time in the model's runtime.", lambda report: report["invoke_s"]),
    ("eacf_cpu_seconds", "CPU time of the process.", lambda report: report["process"]["cpu_s"]),
)
_GAUGES: tuple[tuple[str, str, Callable[[Report], float]], ...] = (
    ("eacf_uptime_seconds", "Time since the start.", lambda report: report["uptime_s"]),
    ("eacf_queue_flows", "Flows that wait for the model.", lambda report: report["queue"]["flows"]),
    ("eacf_queue_bytes", "Bytes of the messages that wait.", lambda report: report["queue"]["bytes"]),
    ("eacf_queue_limit_flows", "Flows that may wait.", lambda report: report["queue"]["limit_flows"]),
    ("eacf_held_verdicts", "Verdicts that wait for company.", lambda report: report["held_verdicts"]),
    ("eacf_memory_bytes", "Resident memory of the process.", lambda report: report["process"]["memory_bytes"]),
    ("eacf_threads", "Threads of the process.", lambda report: report["process"]["threads"]),
)
_BY_NAME = (
    ("eacf_dropped_flows", "Flows without a verdict, by reason.", "reason", "dropped"),
    ("eacf_malformed_messages", "Messages that the contract does not allow, by kind.", "kind", "malformed"),
    ("eacf_reloads", "Changes of bundle asked for, by result.", "result", "reloads"),
)


class ReportCollector(Collector):
    """Turns a report into metrics each time that Prometheus asks."""

    def __init__(self, report: Callable[[], Report]) -> None:
        self._report = report

    def collect(self) -> Iterable[Metric]:
        report = self._report()
        bundle = report["bundle"]
        info = GaugeMetricFamily("eacf_worker_info", "Who serves what; always 1.", labels=("worker", "bundle", "name"))
        info.add_metric((report["worker"], bundle["id"], bundle["name"]), 1)
        yield info
        for name, text, read in _COUNTERS:
            yield CounterMetricFamily(name, text, value=read(report))
        for name, text, read in _GAUGES:
            yield GaugeMetricFamily(name, text, value=read(report))
        for name, text, label, key in _BY_NAME:
            family = CounterMetricFamily(name, text, labels=(label,))
            for each, count in report[key].items():
                family.add_metric((each,), count)
            yield family
        yield from _histograms(report)
        yield from _truth(report["truth"])
        if report["shadow"] is not None:
            yield from _shadow(report["shadow"])


def _histograms(report: Report) -> Iterator[Metric]:
    ever, batches = report["latency_ms"]["ever"], report["batches"]
    buckets = [(f"{bound:.6g}", count) for bound, count in ever["buckets_s"]]
    yield HistogramMetricFamily(
        "eacf_latency_seconds",
        "From a flow's arrival to its verdict's departure.",
        buckets=[*buckets, ("+Inf", ever["flows"])],
        sum_value=ever["sum_s"],
    )
    sizes = list(zip(batches["sizes"], accumulate(batches["sizes"].values()), strict=True))
    yield HistogramMetricFamily(
        "eacf_batch_flows",
        "Flows in one run of the model.",
        buckets=[*sizes, ("+Inf", sizes[-1][1])],
        sum_value=batches["flows"],
    )


_FIGURES = (
    ("accuracy", "Right, of the flows with a known name that were answered, in the window."),
    ("coverage", "Answered, of the flows with a known name, in the window."),
    ("calibration_error", "Expected calibration error of what was answered, in the window."),
)


def _figures(prefix: str, of: Report) -> Iterator[Metric]:
    """Gauges of a window; one that has no value is left out."""
    yield GaugeMetricFamily(f"{prefix}_exams", "Flows with a known name in the window.", value=of["exams"])
    for key, text in _FIGURES:
        if of.get(key) is not None:
            yield GaugeMetricFamily(f"{prefix}_{key}", text, value=of[key])


def _truth(truth: Report) -> Iterator[Metric]:
    """Live accuracy, in all and by label, and what tells of a drift."""
    exams = CounterMetricFamily("eacf_exams", "Flows with a known name, by what came of them.", labels=("outcome",))
    for outcome, count in truth["ever"].items():
        exams.add_metric((outcome,), count)
    yield exams
    yield from _figures("eacf_truth", truth)
    by_label = {key: (f"eacf_truth_label_{key}", ("label",)) for key in ("exams", "accuracy", "coverage")}
    for key, (name, labels) in by_label.items():
        family = GaugeMetricFamily(name, "As without label, in the label's own window.", labels=labels)
        for label, of in truth["labels"].items():
            if of[key] is not None:
                family.add_metric((label,), of[key])
        yield family
    alarms = CounterMetricFamily("eacf_drift_alarms", "Drifts that were told, by kind.", labels=("kind",))
    for kind, count in truth["alarms"].items():
        alarms.add_metric((kind,), count)
    yield alarms
    if truth["drift"] is not None:
        yield from _drift(truth["drift"])


def _drift(drift: Report) -> Iterator[Metric]:
    now = GaugeMetricFamily("eacf_drifting", "1 while traffic and model have come apart, by kind.", labels=("kind",))
    for kind, is_so in drift["now"].items():
        now.add_metric((kind,), is_so)
    yield now
    for key, text in (
        ("error_rate", "Wrong or abstained, in the detector's window."),
        ("usual_error_rate", "What that was when it was lowest."),
        ("input_distance", "How far flows without a known name are from the first ones (Kolmogorov-Smirnov)."),
    ):
        if drift[key] is not None:
            yield GaugeMetricFamily(f"eacf_drift_{key}", text, value=drift[key])


def _shadow(shadow: Report) -> Iterator[Metric]:
    bundle = shadow["bundle"]
    info = GaugeMetricFamily("eacf_shadow_info", "What scores beside; always 1.", labels=("bundle", "name"))
    info.add_metric((bundle["id"], bundle["name"]), 1)
    yield info
    for key, text in (
        ("scored", "Flows that the shadow scored."),
        ("skipped", "Flows for which it had no time."),
        ("refused", "Of those scored: the sample lacks what it needs."),
    ):
        yield CounterMetricFamily(f"eacf_shadow_{key}_flows", text, value=shadow[key])
    if shadow["agreement"] is not None:
        text = "The same answer as the model that serves, of the flows scored."
        yield GaugeMetricFamily("eacf_shadow_agreement", text, value=shadow["agreement"])
    yield from _figures("eacf_shadow", shadow)
    yield from _figures("eacf_shadow_serving", shadow["serving"])


@contextmanager
def serving(
    port: int, report: Callable[[], Report], collector: Callable[[Callable[[], Report]], Collector] = ReportCollector
) -> Iterator[None]:
    """Answer Prometheus on that port while the context lasts; port 0: do nothing. SettingError where it is taken.

    `collector` makes metrics of the report.
    """
    if not port:
        yield
        return
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector(report))
    try:
        server, thread = start_http_server(port, ADDRESS, registry)
    except OSError as error:
        raise SettingError(
            f"metrics_port = {port}: cannot listen on {ADDRESS} ({error.strerror}); choose a free port, or 0 for none"
        ) from None
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
