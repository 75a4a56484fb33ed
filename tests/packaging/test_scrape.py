"""What real processes say when they are asked is what docs/metrics.md says, and a real Prometheus that scrapes them has data for each
query of the dashboard and evaluates each rule."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from eacf import bundle
from eacf.enforce.agent import Agent
from eacf.enforce.metrics import ENFORCE
from eacf.enforce.table import Account as TableAccount
from eacf.metrics import Report, serving
from eacf.policy import parse
from eacf.relay.account import Account as RelayAccount
from eacf.relay.metrics import RELAY
from eacf.status import process_facts
from eacf.wire import FORMAT, Act, encode_acts
from tests.packaging.monitoring import OF_ZEEK_ITSELF, RULES, free_port, metrics_page, queries
from tests.zeek.faults import Site, make_capture

pytestmark = [pytest.mark.zeek, pytest.mark.slow]
NO_PROMETHEUS = "needs a Prometheus server; apt install prometheus"
SECONDS = 60
"""Of traffic: the processes must be scraped while it flows."""
POLICY = """
[unknown]
priority = "low"
[label.video]
priority = "high"
[label.web-page]
block = true
"""
SELDOM = {
    "eacf_worker_malformed_messages_total",
    "eacf_worker_push_incoming_bytes",
    "eacf_worker_push_have_bytes",
    "eacf_worker_drift_input_distance",
    "eacf_worker_drift_usual_error_rate",
    "eacf_relay_handshakes_total",
    "eacf_enforce_malformed_messages_total",
}
"""Without a value unless something goes wrong, is on its way, or has gone on for long."""


class Gateway:
    """An agent without a kernel, which has put an act in place each time that it is looked at."""

    def __init__(self) -> None:
        self.begun = time.monotonic()
        policy, self.table = parse(b'mode = "act"\n', "test"), TableAccount()
        self.agent = Agent("0a0b0c0d0e0f", policy, started=self.begun, account=self.table, process=process_facts)
        self.acts = 0

    def report(self) -> Report:
        now = time.monotonic()
        self.acts += 1
        act = Act(
            id=f"000000000000.{self.acts}",
            kind="qos",
            orig_h=IPv4Address("192.0.2.1"),
            orig_p=1024 + self.acts,
            resp_h=IPv4Address("192.0.2.2"),
            resp_p=443,
            protocol="tcp",
            width=0,
            key="label x",
            priority="high",
            dscp=None,
            rate=None,
            lasts_s=600.0,
        )
        body = encode_acts("eacf.enforced.000000000000.", [act])
        self.agent.receive([self.agent.topic, b"zeek", FORMAT, body], now)
        for change in list(self.agent.ledger.changes()):
            self.agent.ledger.done(change)
            self.table.transactions, self.table.seconds = self.table.transactions + 1, self.table.seconds + 0.0001
        assert len(list(self.agent.due(now + 0.001))) == 1
        return self.agent.status(now + 0.001)


@dataclass
class Scene:
    """Processes that tell Prometheus, and where."""

    site: Site
    ports: dict[str, int]

    def scrape(self, process: str) -> dict[str, list[Any]]:
        """Names as they are asked for, and the samples under each. A histogram has one name."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[process]}/metrics", timeout=10) as answer:
            families = text_string_to_metric_families(answer.read().decode())
        found = {}
        for each in families:
            found[each.name + ("_total" if each.type == "counter" else "")] = each.samples
        return found


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A real Zeek with a policy, a real worker with shadow, store and keys; the agent and the relay as what they report."""
    folder = tmp_path_factory.mktemp("scrape")
    capture = make_capture(folder / "load.pcap", connections=20 * SECONDS, seconds=SECONDS)
    (folder / "policy.toml").write_text(POLICY)
    served = bundle.load(bundle.find("testbed"))
    again = dict(served.manifest.document) | {"version": "9.9.9"}
    bundle.write(folder / "again.eacf", again, served.model)
    ports = {process: free_port() for process in ("worker", "zeek", "enforce", "relay")}
    gateway, relay = Gateway(), RelayAccount()

    def of_relay() -> Report:
        relay.out, relay.taken = relay.out + 10, relay.taken + 5
        return relay.report("ba9876543210", 1.0, 2, 4, 1, process_facts)

    with (
        Site(folder / "site") as site,
        serving(ports["enforce"], gateway.report, ENFORCE),
        serving(ports["relay"], of_relay, RELAY),
    ):
        key = site.start_cli("key", "keys", "new", str(folder / "lab"))
        assert key.wait(30) == 0
        worker = [
            "--bundle",
            "testbed",
            "--shadow",
            str(folder / "again.eacf"),
            "--drift-alarms",
            "on",
            "--metrics-port",
        ]
        worker += [
            str(ports["worker"]),
            "--model-store",
            str(folder / "store"),
            "--trusted-keys",
            str(folder / "lab.pub"),
        ]
        site.start_worker("worker", *worker, wait=False)
        told = (f"Telemetry::metrics_port={ports['zeek']}/tcp", "Telemetry::metrics_address=127.0.0.1")
        site.start_zeek(capture, *told, f"EACF::policy_file={folder / 'policy.toml'}")
        site.wait_for(lambda: b"on the bus" in (site.folder / "worker.out").read_bytes(), 60.0)
        site.wait_for_flows(60)
        site.wait_for(lambda: b'"label"' in (site.folder / "eacf.log").read_bytes(), 60.0)
        yield Scene(site, ports)


def test_a_scrape_has_what_the_page_has(scene: Scene) -> None:
    for process in scene.ports:
        told, page = scene.scrape(process), {each.name: each for each in metrics_page().metrics(process)}
        ours = {name for name in told if name.startswith("eacf_")}
        assert ours == page.keys(), process
        empty = {name for name in ours if not told[name]}
        assert empty <= SELDOM, (process, empty)
        for name in ours - empty:
            if page[name].kind != "histogram":
                labels = set(told[name][0].labels) - {"node", "endpoint"}
                assert labels == set(page[name].labels), name
    assert set(OF_ZEEK_ITSELF) <= scene.scrape("zeek").keys()


def test_both_accounts_close_whenever_they_are_looked_at(scene: Scene) -> None:
    for _ in range(10):
        worker, zeek = scene.scrape("worker"), scene.scrape("zeek")

        def total(told: dict[str, list[Any]], *names: str) -> float:
            return sum(sample.value for name in names for sample in told[name] if "_created" not in sample.name)

        assert total(zeek, "eacf_zeek_collected_flows_total") == total(
            zeek, "eacf_zeek_settled_flows_total", "eacf_zeek_pending_flows"
        )
        rest = ("dropped_flows_total", "queue_flows", "in_hand_flows", "held_verdicts", "verdicts_total")
        flows = total(worker, "eacf_worker_flows_total")
        assert flows == total(worker, *(f"eacf_worker_{each}" for each in rest)) > 20
        time.sleep(0.05)


class Prometheus:
    """A server that scrapes the scene each second."""

    def __init__(self, folder: Path, ports: dict[str, int]) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        jobs = [
            {"job_name": f"eacf-{process}", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}
            for process, port in ports.items()
        ]
        times = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
        config = {"global": times, "rule_files": [str(RULES)], "scrape_configs": jobs}
        (folder / "prometheus.yml").write_text(json.dumps(config))  # JSON is YAML
        command = ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
        command += [f"--web.listen-address={self.url.removeprefix('http://')}", "--log.level=warn"]
        self.words = (folder / "prometheus.out").open("wb")
        self.process = subprocess.Popen(command, stdout=self.words, stderr=subprocess.STDOUT, cwd=folder)

    def ask(self, path: str, **arguments: str) -> dict[str, Any]:
        query = urllib.parse.urlencode(arguments)
        with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{query}", timeout=10) as answer:
            said = json.load(answer)
        assert said["status"] == "success", said
        data: dict[str, Any] = said["data"]
        return data

    def values(self, expression: str) -> list[float]:
        """Of each series now."""
        return [float(each["value"][1]) for each in self.ask("query", query=expression)["result"]]

    def ready(self) -> bool:
        """Every process has been scraped some times."""
        try:
            return self.values('min(count_over_time(up{job=~"eacf.*"}[1m])) >= 6') != []
        except OSError:
            return False

    def end(self) -> None:
        self.process.terminate()
        self.process.wait(20)
        self.words.close()


@pytest.fixture(scope="module")
def prometheus(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    if shutil.which("prometheus") is None:
        pytest.skip(NO_PROMETHEUS)
    server = Prometheus(tmp_path_factory.mktemp("prometheus"), scene.ports)
    try:
        Site.wait_for(server.ready)
        yield server
    finally:
        server.end()


def test_every_query_of_the_dashboard_has_data(prometheus: Prometheus) -> None:
    assert prometheus.values('min(up{job=~"eacf.*"})') == [1.0]
    assert len(list(queries())) > 60
    lacking = []
    for title, expression in queries():
        values = prometheus.values(expression)
        if not [value for value in values if not math.isnan(value)] and not any(name in expression for name in SELDOM):
            lacking.append((title, expression, values))
    assert not lacking


def test_the_instances_of_the_dashboard_are_found(prometheus: Prometheus, scene: Scene) -> None:
    found = prometheus.ask("label/instance/values", **{"match[]": '{__name__=~"eacf_(worker|zeek|enforce|relay)_.+"}'})
    assert set(found) == {f"127.0.0.1:{port}" for port in scene.ports.values()}


def test_every_rule_is_evaluated_and_none_fires_where_all_is_well(prometheus: Prometheus) -> None:
    (group,) = prometheus.ask("rules")["groups"]
    assert len(group["rules"]) > 20
    assert {(rule["health"], rule.get("lastError", "")) for rule in group["rules"]} == {("ok", "")}
    assert [rule["name"] for rule in group["rules"] if rule["state"] == "firing"] == []
