"""The ingest pipelines for Elasticsearch, on lines that Zeek 8.0.10 with the package wrote (real captures, a dry-run policy).

They run in an interpreter of the processors that they use (`ingest`), since there is no Elasticsearch here.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.packaging.elastic import ingest

HERE = Path(__file__).parent
Doc = dict[str, Any]
LOGS = ("eacf", "eacf_actions", "eacf_stats")


@pytest.fixture(scope="module")
def elastic(repository: Path) -> Path:
    return repository / "packaging" / "elastic"


def pipeline(elastic: Path, name: str) -> Any:
    return json.loads((elastic / f"{name}.json").read_text())


def lines(name: str) -> list[str]:
    return (HERE / f"{name}.log").read_text().splitlines()


def flat(doc: Doc, before: str = "") -> dict[str, Any]:
    """Dotted names to values."""
    found: dict[str, Any] = {}
    for key, value in doc.items():
        found |= flat(value, f"{before}{key}.") if isinstance(value, dict) else {before + key: value}
    return found


@pytest.mark.parametrize("name", LOGS)
def test_every_value_of_a_line_is_somewhere_in_the_document(elastic: Path, name: str) -> None:
    for line in lines(name):
        found = flat(ingest.run(pipeline(elastic, name), {"message": line, "agent": {"name": "sensor"}}))
        assert found["event.kind"] == ("metric" if name == "eacf_stats" else "event"), found
        assert "message" not in found
        assert "event.original" not in found
        told = {str(value) for value in found.values()}
        for key, value in json.loads(line).items():
            if key in ("ts", "until"):
                continue  # dates now
            assert str(value) in told, (key, value)


def test_a_line_of_eacf_log(elastic: Path) -> None:
    found = flat(ingest.run(pipeline(elastic, "eacf"), {"message": lines("eacf")[1]}))
    line = json.loads(lines("eacf")[1])
    assert found == {
        "@timestamp": "2016-03-14T07:33:14.937Z",
        "ecs.version": "8.17.0",
        "event.module": "eacf",
        "event.dataset": "eacf.flow",
        "event.kind": "event",
        "event.category": ["network"],
        "event.type": ["connection", "info"],
        "event.ingested": "2026-01-01T00:00:00.000Z",
        "event.id": line["uid"],
        "zeek.session_id": line["uid"],
        "source.address": "192.168.200.222",
        "source.ip": "192.168.200.222",
        "source.port": 38039,
        "client.ip": "192.168.200.222",
        "client.port": 38039,
        "destination.address": "31.13.79.246",
        "destination.ip": "31.13.79.246",
        "destination.port": 443,
        "server.ip": "31.13.79.246",
        "server.port": 443,
        "network.transport": "tcp",
        "network.protocol": "tls",
        "network.type": "ipv4",
        "network.community_id": found["network.community_id"],
        "network.application": "facebook.com",
        "tls.client.server_name": "graph.facebook.com",
        "related.ip": ["192.168.200.222", "31.13.79.246"],
        "related.hosts": ["graph.facebook.com"],
        "eacf.confidence": line["confidence"],
        "eacf.model": line["model"],
        "eacf.worker": line["worker"],
        "eacf.sni_label": "facebook.com",
        "eacf.latency": line["latency"],
        "eacf.payload_bytes": 0,
        "eacf.chunks": 0,
        "eacf.records": 8,
    }
    assert flat(ingest.run(pipeline(elastic, "eacf"), {"message": lines("eacf")[0]}))["network.type"] == "ipv6"


def test_a_community_id_as_its_specification_has_it() -> None:
    doc: Doc = {"source": {"ip": "128.232.110.120", "port": 34855}, "destination": {"ip": "66.35.250.204", "port": 80}}
    ingest.run({"processors": [{"community_id": {}}]}, doc)
    assert doc["network"]["community_id"] == "1:LQU9qZlK+B5F3KDmev6m5PMibrg="


@pytest.mark.parametrize(
    ("act", "outcome", "types", "result"),
    [
        ("block", "in place", ["connection", "denied"], "success"),
        ("qos", "exists", ["connection", "change"], "success"),
        ("shunt", "in place", ["connection"], "success"),
        ("block", "refused", ["connection"], "failure"),
        ("block", "no agent", ["connection"], "failure"),
        ("qos", "no answer", ["connection"], "failure"),
        ("block", "dry-run", ["connection"], "unknown"),
    ],
)
def test_what_became_of_an_act(elastic: Path, act: str, outcome: str, types: list[str], result: str) -> None:
    """A real line with another act and outcome."""
    line = json.loads(lines("eacf_actions")[0]) | {"act": act, "outcome": outcome, "why": "no rule", "rule": "a.1"}
    found = flat(ingest.run(pipeline(elastic, "eacf_actions"), {"message": json.dumps(line)}))
    assert (found["event.action"], found["event.type"], found["event.outcome"]) == (act, types, result)
    assert (found["event.reason"], found["rule.id"], found["rule.name"]) == ("no rule", "a.1", "label facebook.com")
    assert found["eacf.outcome"] == outcome
    assert found["eacf.until"] == "2016-08-28T15:05:23.391Z"


@pytest.mark.parametrize("name", LOGS)
@pytest.mark.parametrize("message", ["{", "#fields\tts\tuid", '{"uid": "C1"}', '{"ts": "now"}'])
def test_what_is_no_line_is_kept_and_marked(elastic: Path, name: str, message: str) -> None:
    found = flat(ingest.run(pipeline(elastic, name), {"message": message}))
    assert found["event.kind"] == "pipeline_error"
    assert found["event.original"] == message
    assert re.match(r"(json|date|convert|rename): ", found["error.message"][0])


def test_zeeks_tab_separated_form_is_an_error_and_not_nonsense(elastic: Path) -> None:
    for line in (HERE / "eacf.tsv.log").read_text().splitlines():
        assert ingest.run(pipeline(elastic, "eacf"), {"message": line})["event"]["kind"] == "pipeline_error"


def test_the_template_knows_every_field(elastic: Path) -> None:
    template = json.loads((elastic / "index-template.json").read_text())

    def leaves(properties: Doc, before: str = "") -> set[str]:
        found = set()
        for key, value in properties.items():
            found |= leaves(value["properties"], f"{before}{key}.") if "properties" in value else {before + key}
        return found

    known = leaves(template["template"]["mappings"]["properties"])
    for name in LOGS:
        for line in lines(name):
            found = flat(ingest.run(pipeline(elastic, name), {"message": line}))
            assert set(found) <= known, set(found) - known


@pytest.mark.parametrize(
    ("name", "script", "record"),
    [("eacf", "flow", "Info"), ("eacf_stats", "account", "Stats"), ("eacf_actions", "act", "ActionInfo")],
)
def test_every_field_that_zeek_can_write_is_taken(
    elastic: Path, repository: Path, name: str, script: str, record: str
) -> None:
    """By the records of the package: a field that is added there is missed here."""
    text = (repository / "zeek" / f"{script}.zeek").read_text()
    body = re.search(rf"type {record}: record \{{(.*?)\n\t\}};", text, re.DOTALL)
    assert body is not None
    logged = set(re.findall(r"(\w+): [\w\[\] ]+&log", body[1]))
    assert len(logged) > 10
    text = json.dumps(pipeline(elastic, name))
    stats = json.loads((elastic / "index-template.json").read_text())["template"]["mappings"]["properties"]["eacf"]
    for field in logged - {"id"}:
        assert f"line.{field}" in text or field in stats["properties"]["stats"]["properties"], field


def test_security_onions_pipeline(elastic: Path) -> None:
    """With a stand-in for its zeek.common, which takes uid, addresses and ts."""
    common = {
        "processors": [{"rename": {"field": "message2.uid", "target_field": "log.id.uid", "ignore_missing": True}}]
    }
    made = json.loads((elastic / "security-onion-zeek.eacf").read_text())
    found = flat(ingest.run(made, {"message": lines("eacf")[1]}, {"zeek.common": common}))
    line = json.loads(lines("eacf")[1])
    assert found["network.application"] == line["label"]
    assert found["ssl.server_name"] == line["server_name"]
    assert {key for key in found if key.startswith("message2.")} == {
        f"message2.{key}" for key in ("ts", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p")
    }
