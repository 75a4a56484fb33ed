from __future__ import annotations

import socket
import urllib.request
from ipaddress import IPv4Address

import pytest
from prometheus_client.parser import text_string_to_metric_families

import eacf
from eacf import bundle, inference
from eacf.engine import Engine
from eacf.errors import SettingError
from eacf.flow import Sample
from eacf.metrics import serving
from eacf.status import process_facts
from eacf.wire import FORMAT, encode_flows, flow_topic


@pytest.fixture(scope="module")
def engine() -> Engine:
    """One that has served five flows, dropped three and been told nonsense."""
    made = Engine(inference.load(bundle.default_path()), worker="0123456789ab", started=0.0, process=process_facts)
    ends = (IPv4Address("192.0.2.1"), 50000, IPv4Address("192.0.2.2"), 443)
    flows = [Sample(f"C{at}", 0, *ends, None, bytes(100), [], [517, -1200] * 4) for at in range(5)]
    topic = flow_topic("0123456789ab")
    for body in (encode_flows("eacf.verdict.zeek.", flows), encode_flows("eacf.zeek.", flows[:3]), b"\xff" * 300):
        made.receive([topic, b"zeek", FORMAT, body], 1.0)
    made.serve()
    made.due(1.05)
    return made


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number: int = free.getsockname()[1]
    return number


def scrape(port: int) -> dict[tuple[str, tuple[str, ...]], float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        families = text_string_to_metric_families(answer.read().decode())
        return {
            (sample.name, tuple(sorted(sample.labels.values()))): sample.value
            for family in families
            for sample in family.samples
        }


def test_prometheus_hears_what_status_says(engine: Engine, port: int) -> None:
    with serving(port, lambda: engine.status(10.0)):
        told = scrape(port)
    status = engine.status(10.0)
    assert told["eacf_worker_flows_total", ()] == status["flows_in"] == 8
    assert told["eacf_worker_verdicts_total", ()] == status["verdicts_out"] == 5
    assert told["eacf_worker_messages_total", ()] == 3
    assert told["eacf_worker_dropped_flows_total", ("reply_to",)] == 3
    assert sum(value for (name, _), value in told.items() if name == "eacf_worker_malformed_messages_total") == 2
    assert told["eacf_worker_queue_flows", ()] == 0
    assert told["eacf_worker_uptime_seconds", ()] == 10
    assert told["eacf_worker_memory_bytes", ()] > 10_000_000
    bundle_of = engine.model.bundle
    who = sorted(("0123456789ab", eacf.__version__, bundle_of.id, bundle_of.name))
    assert told["eacf_worker_info", tuple(who)] == 1


def test_histograms_are_cumulative(engine: Engine, port: int) -> None:
    with serving(port, lambda: engine.status(10.0)):
        told = scrape(port)
    for name in ("eacf_worker_latency_seconds", "eacf_worker_batch_flows"):
        counts = [value for (each, _), value in told.items() if each == f"{name}_bucket"]
        assert counts == sorted(counts)
        assert counts[-1] == told[f"{name}_count", ()]
    assert told["eacf_worker_latency_seconds_count", ()] == 5
    assert told["eacf_worker_latency_seconds_sum", ()] == pytest.approx(0.25)
    assert told["eacf_worker_batch_flows_sum", ()] == 5


@pytest.fixture(scope="module")
def examined() -> Engine:
    """One with a shadow and detectors that has answered forty flows of twenty clients under a name that it knows."""
    model = inference.load(bundle.default_path())
    made = Engine(model, worker="0123456789ab", started=0.0, process=process_facts, drift_alarms=True)
    made.set_shadow(model)
    ends = (50000, IPv4Address("192.0.2.2"), 443, model.bundle.labels[0])
    flows = [
        Sample(f"C{at}", 0, IPv4Address(at % 20), *ends, b"", [], [-52, -69, -283, -283, -41, -39, -39, -69])
        for at in range(40)
    ]
    made.receive([flow_topic("0123456789ab"), b"zeek", FORMAT, encode_flows("eacf.verdict.zeek.", flows)], 1.0)
    made.serve()
    while made.idle():
        pass
    return made


def test_prometheus_hears_of_live_truth_and_the_shadow(examined: Engine, port: int) -> None:
    with serving(port, lambda: examined.status(10.0)):
        told = scrape(port)
    status = examined.status(10.0)
    truth, shadow, label = status["truth"], status["shadow"], examined.model.bundle.labels[0]
    outcomes = {key: told["eacf_worker_exams_total", (key,)] for key in ("right", "wrong", "abstained", "refused")}
    assert outcomes == truth["ever"]
    assert sum(outcomes.values()) == 40
    assert told["eacf_worker_truth_exams", ()] == 40
    for key in ("accuracy", "coverage", "calibration_error"):
        assert told[f"eacf_worker_truth_{key}", ()] == truth[key]
        assert told[f"eacf_worker_shadow_{key}", ()] == shadow[key]
    assert told["eacf_worker_truth_label_exams", (label,)] == 40
    assert told["eacf_worker_truth_label_accuracy", (label,)] == truth["accuracy"]
    assert told["eacf_worker_drifting", ("accuracy",)] == told["eacf_worker_drifting", ("inputs",)] == 0
    assert told["eacf_worker_drift_error_rate", ()] == truth["drift"]["error_rate"]
    assert told["eacf_worker_shadow_scored_flows_total", ()] == 40
    assert told["eacf_worker_shadow_agreement", ()] == 1
    assert told["eacf_worker_shadow_serving_accuracy", ()] == truth["accuracy"]
    assert told["eacf_worker_shadow_info", tuple(sorted((shadow["bundle"]["id"], shadow["bundle"]["name"])))] == 1


def test_what_is_not_known_is_left_out(engine: Engine, port: int) -> None:
    with serving(port, lambda: engine.status(10.0)):
        told = scrape(port)
    assert told["eacf_worker_truth_exams", ()] == 0
    assert not [name for name, _ in told if "accuracy" in name or "shadow" in name or "drift_error" in name]


def test_it_ends_with_the_context(engine: Engine, port: int) -> None:
    with serving(port, lambda: engine.status(10.0)):
        pass
    with pytest.raises(OSError, match="refused"):
        scrape(port)


def test_a_port_that_is_taken_is_the_operators_mistake(engine: Engine) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        with pytest.raises(SettingError, match=f"metrics_port = {number}"), serving(number, lambda: engine.status(0.0)):
            pass


def test_port_0_is_none(engine: Engine) -> None:
    with serving(0, lambda: engine.status(0.0)):
        pass
