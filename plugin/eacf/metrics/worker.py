"""The metrics of a worker, read from :meth:`eacf.engine.Engine.status`."""

from __future__ import annotations

from collections.abc import Iterator

from eacf.metrics.family import (
    Family,
    Point,
    Report,
    at,
    by_name,
    counter,
    counters,
    gauge,
    info,
    inner,
    latency,
    picked,
    sizes,
)

_W = "eacf_worker_"

_SERVING = (
    Family(
        f"{_W}info",
        "",
        "Who serves what; always 1.",
        info("worker", "version", "bundle.id", "bundle.name"),
        ("worker", "version", "bundle", "name"),
    ),
    gauge(f"{_W}uptime_seconds", "seconds", "Time since the start.", "uptime_s"),
    counter(f"{_W}messages", "messages", "Messages taken from the bus.", "messages_in"),
    counter(f"{_W}flows", "flows", "Flows in them.", "flows_in"),
    counter(f"{_W}verdicts", "verdicts", "Verdicts handed to the bus, of any kind.", "verdicts_out"),
    counter(f"{_W}abstained", "verdicts", "Verdicts without a label: not sure enough.", "abstained"),
    counter(f"{_W}refused", "verdicts", "Verdicts without a label: the sample lacks what the model needs.", "refused"),
    counters(
        f"{_W}labelled",
        "verdicts",
        "Verdicts with a label, by label; (others): those of labels beyond the first 1,000.",
        "label",
        "labels",
    ),
    counters(
        f"{_W}dropped_flows",
        "flows",
        "Flows without a verdict. queue: it was full and the oldest went; reply_to: not a topic that may be answered; send: "
        "the bus would not take the verdicts; drain: still queued when the time to end was over.",
        "reason",
        "dropped",
        known=("queue", "reply_to", "send", "drain"),
    ),
    counters(
        f"{_W}malformed_messages",
        "messages",
        "Messages that say what the contract does not allow, by what is wrong.",
        "kind",
        "malformed",
    ),
    counter(
        f"{_W}unsent_messages", "messages", "Other messages (hello, status) that the bus would not take.", "unsent"
    ),
    counter(
        f"{_W}topic_overflows", "times", "Times that verdicts went out before their hold was over.", "topic_overflows"
    ),
    counters(
        f"{_W}reloads",
        "times",
        "Changes of bundle, by what came of them.",
        "result",
        "reloads",
        known=("done", "failed"),
    ),
    gauge(f"{_W}queue_flows", "flows", "Flows that wait for the model.", "queue", "flows"),
    gauge(f"{_W}queue_limit_flows", "flows", "Flows that may wait (queue_flows).", "queue", "limit_flows"),
    gauge(f"{_W}queue_bytes", "bytes", "Bytes of the messages that wait.", "queue", "bytes"),
    gauge(f"{_W}queue_limit_bytes", "bytes", "Bytes that may wait (queue_megabytes).", "queue", "limit_bytes"),
    gauge(f"{_W}in_hand_flows", "flows", "Flows that the model has just now.", "in_hand"),
    gauge(f"{_W}held_verdicts", "verdicts", "Verdicts that wait for company.", "held_verdicts"),
    latency(f"{_W}latency_seconds", "From a flow's arrival to its verdict's departure."),
    sizes(f"{_W}batch_flows", "flows", "Flows in one run of the model.", "batches"),
    counter(f"{_W}invoke_seconds", "seconds", "Time in the model's runtime.", "invoke_s"),
    counter(f"{_W}cpu_seconds", "seconds", "CPU time of the process.", "process", "cpu_s"),
    gauge(f"{_W}memory_bytes", "bytes", "Resident memory of the process.", "process", "memory_bytes"),
    gauge(f"{_W}threads", "threads", "Threads of the process.", "process", "threads"),
)


def _figures(prefix: str, what: str, *path: str, calibration: bool = True) -> Iterator[Family]:
    """Gauges of a window of exams."""
    yield gauge(f"{prefix}_exams", "flows", f"{what}: flows with a known name.", *path, "exams")
    yield gauge(f"{prefix}_accuracy", "share", f"{what}: right, of the exams that were answered.", *path, "accuracy")
    yield gauge(f"{prefix}_coverage", "share", f"{what}: answered, of the exams.", *path, "coverage")
    if calibration:
        text = f"{what}: expected calibration error of what was answered."
        yield gauge(f"{prefix}_calibration_error", "share", text, *path, "calibration_error")


_LABEL = (
    ("exams", "flows", "In the label's own window: flows whose name says this label."),
    ("accuracy", "share", "In the label's own window: right, of those answered."),
    ("coverage", "share", "In the label's own window: answered, of the exams."),
)

_TRUTH = (
    counters(
        f"{_W}exams",
        "flows",
        "Flows with a name that the label map knows, by what the answer was.",
        "outcome",
        "truth",
        "ever",
    ),
    *_figures(f"{_W}truth", "In the window of live accuracy", "truth"),
    *(
        Family(f"{_W}truth_label_{key}", unit, text, inner("truth", "labels", key=key), ("label",))
        for key, unit, text in _LABEL
    ),
    counters(
        f"{_W}drift_alarms",
        "alarms",
        "Drifts that were told, by kind.",
        "kind",
        "truth",
        "alarms",
        known=("accuracy", "inputs"),
    ),
    Family(
        f"{_W}drifting",
        "",
        "1 while traffic and model have come apart, by kind. accuracy: errors are more than they were; inputs: flows are others "
        "than they were.",
        by_name("truth", "drift", "now"),
        ("kind",),
    ),
    gauge(
        f"{_W}drift_error_rate",
        "share",
        "Wrong or abstained, in the detector's window.",
        "truth",
        "drift",
        "error_rate",
    ),
    gauge(
        f"{_W}drift_usual_error_rate",
        "share",
        "What that was when it was lowest.",
        "truth",
        "drift",
        "usual_error_rate",
    ),
    gauge(
        f"{_W}drift_input_distance",
        "Kolmogorov-Smirnov distance",
        "How far flows without a known name are from the first ones.",
        "truth",
        "drift",
        "input_distance",
    ),
)

_SHADOW = (
    Family(
        f"{_W}shadow_info",
        "",
        "What scores beside; always 1.",
        info("shadow.bundle.id", "shadow.bundle.name"),
        ("bundle", "name"),
    ),
    counter(f"{_W}shadow_scored_flows", "flows", "Flows that the shadow scored.", "shadow", "scored"),
    counter(f"{_W}shadow_skipped_flows", "flows", "Flows for which it had no time.", "shadow", "skipped"),
    counter(
        f"{_W}shadow_refused_flows", "flows", "Of those scored: the sample lacks what it needs.", "shadow", "refused"
    ),
    gauge(
        f"{_W}shadow_agreement",
        "share",
        "The same answer as the model that serves, of the flows scored.",
        "shadow",
        "agreement",
    ),
    *_figures(f"{_W}shadow", "The shadow, in its window", "shadow"),
    *_figures(
        f"{_W}shadow_serving", "The model that serves, on the shadow's exams", "shadow", "serving", calibration=False
    ),
)


def _kept(report: Report) -> Iterator[Point]:
    kept = at(report, "models", "kept")
    if kept is not None:
        yield Point((), len(kept) + report["models"]["older"])


def _places(report: Report) -> Iterator[Point]:
    """The ids in the store's state; an empty one is none."""
    if at(report, "models", "kept") is not None:
        models = report["models"]
        yield Point(tuple(models[key] or "" for key in ("serving", "setting", "shadow", "before")), 1)


_COUNTS = ("models", "push", "counts")
_FAULTS = (
    "malformed",
    "dropped",
    "idle",
    "stalls",
    "started_over",
    "chunks_unasked",
    "chunks_out_of_order",
    "unsent",
)

_STORE = (
    Family(
        f"{_W}store_info",
        "",
        "Models of the store by place, always 1; empty: none. serving: what was pushed or rolled back to, and serves; setting: "
        "what the setting bundle named; before: where a rollback leads.",
        _places,
        ("serving", "setting", "shadow", "before"),
    ),
    Family(f"{_W}store_models", "models", "Models that the store keeps.", _kept),
    Family(
        f"{_W}pushes_total",
        "pushes",
        "Bundles that were offered over the bus, by what came of them. refused: not signed by a trusted key, an old serial, "
        "damaged, or it did not run.",
        picked(*_COUNTS, names={"taken": "taken", "refused": "refused"}),
        ("result",),
        "counter",
    ),
    Family(
        f"{_W}orders_total",
        "orders",
        "Signed orders (roll back, score beside), by what came of them.",
        picked(*_COUNTS, names={"orders_done": "done", "orders_refused": "refused"}),
        ("result",),
        "counter",
    ),
    Family(
        f"{_W}push_bytes_total",
        "bytes",
        "Bytes of bundles that came over the bus.",
        picked(*_COUNTS, names={"bytes": None}),
        kind="counter",
    ),
    Family(
        f"{_W}push_faults_total",
        "times",
        "What went wrong on the way, by kind. dropped: too many asked at once; idle: a transfer ended for want of parts; stalls: "
        "parts were asked for again; the rest are messages that nobody wanted or could send.",
        picked(*_COUNTS, names={name: name for name in _FAULTS}),
        ("kind",),
        "counter",
    ),
    gauge(
        f"{_W}push_incoming_bytes",
        "bytes",
        "Size of the bundle that comes in just now.",
        "models",
        "push",
        "incoming",
        "bytes",
    ),
    gauge(f"{_W}push_have_bytes", "bytes", "How much of it is here.", "models", "push", "incoming", "have"),
)

WORKER: tuple[Family, ...] = (*_SERVING, *_TRUTH, *_SHADOW, *_STORE)
"""All of them, in the order of the page."""
