"""What a real Zeek does about verdicts: acts to agents whose every answer the test chooses, NetControl's rules, eacf_actions.log."""

from __future__ import annotations

import json
import re
import secrets
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Self

import pytest

from eacf.bus import Endpoints, Peer
from eacf.flow import Needs, Sample
from eacf.verdict import Verdict
from eacf.wire import (
    MAX_VERDICTS,
    Act,
    Acted,
    Acts,
    Unacts,
    decode_message,
    encode_acted,
    encode_verdicts,
    enforce_topic,
    is_enforced_topic,
)

RECORDS = Needs(payload_bytes=0, window_bytes=0, records=8, chunks=False)
MODEL = "0" * 12
POLICY = """
mode = "act"
leave_alone = ["198.18.0.0/27"]    # some of the clients in the capture

[group.media]
labels = ["video", "music"]
priority = "high"
dscp = "af41"

[label."slow one"]
rate = "5mbit"
for = "1m"

[label.torrent]
block = true
for = "10m"

[label.copy]
shunt = true
priority = "low"

[label.silent]
priority = "low"

[label.refused]
priority = "low"

[unknown]
priority = "low"

["server name contradicted"]
block = true
"""
LABELS = ("video", "music", "slow one", "torrent", "copy", "silent", "refused", None, "other", "contradicted", "unsure")
"""What the worker says; None: it abstains. "contradicted" and "unsure" are more than labels, see `verdicts_of`."""
LIMIT_S = 30.0
SCRIPT = """
module EACF;
# Another backend, which takes what agents do not; and another script that asks for a drop, and for its end.
event NetControl::init() { NetControl::activate(NetControl::create_debug(T, "switch"), -10); }
global asked_for = F;
event classified(info: Info, is_open: bool)
    {
    if ( asked_for || |agents| == 0 ) return;
    asked_for = T;
    NetControl::drop_address(203.0.113.9, 500msec, "another script");
    }
event zeek_done() &priority=-20
    {
    print fmt("STATUS %s", to_json(status()));
    for ( _, metric in Telemetry::collect_metrics("eacf", "*") )
        if ( metric$value > 0 && metric$opts$name in set("eacf_zeek_acts_total", "eacf_zeek_spared_flows_total") )
            print fmt("METRIC %s=%.0f", join_string_vec(metric$label_values, " "), metric$value);
    }
"""


@dataclass
class Agent:
    """An agent on a gateway as the bus sees it. Answers by the act's key."""

    endpoints: Endpoints
    refuses: tuple[str, ...] = ("label refused",)
    id: str = field(default_factory=lambda: secrets.token_hex(6))
    acts: list[Act] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    askers: set[str] = field(default_factory=set)
    gone: str = ""
    """A drop that it took away by itself."""

    def __enter__(self) -> Self:
        self._stack = ExitStack()
        self.here = f"eacf.test.{self.id}".encode()
        node = f"eacf-enforce-{self.id}"
        self.peer = self._stack.enter_context(Peer(self.endpoints, node, [self.here], watch=True))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def turn(self) -> bool:
        """Take what has come, and answer it. Never says that it is over."""
        self.peer.wait(0.002)
        if any(added and topic == self.here for added, topic in self.peer.subscriptions()):
            # Connected both ways: what we answer will be heard.
            self.peer.subscribe(enforce_topic(self.id))
        for frames in self.peer.receive(512):
            message = decode_message(frames[3])
            assert isinstance(message, Acts | Unacts)
            assert is_enforced_topic(message.reply_to)
            self.askers.add(message.reply_to)
            if isinstance(message, Acts):
                self.acts += message.acts
                answers = [self._answer(act) for act in message.acts if act.key != "label silent"]
                drops = [act.id for act in message.acts if act.kind == "drop"]
                if drops and not self.gone and drops[0] in [each.id for each in answers if each.outcome == "in place"]:
                    self.gone = drops[0]
                    answers.append(Acted(self.gone, "gone", "left alone"))
            else:
                self.ended += message.ids
                answers = [Acted(each, "gone", None) for each in message.ids]
            if answers:
                self.peer.send(message.reply_to.encode(), encode_acted(self.id, answers))
        return False

    def _answer(self, act: Act) -> Acted:
        return Acted(act.id, "refused", "full") if act.key in self.refuses else Acted(act.id, "in place", None)


def verdicts_of(worker: str, samples: list[Sample]) -> list[bytes]:
    """A label for each, chosen by its uid so that all of LABELS come."""
    verdicts = []
    for sample in samples:
        label = LABELS[sum(sample.uid.encode()) % len(LABELS)]
        confidence = 0.5 if label == "unsure" else 0.97
        sni = "chat" if label == "contradicted" else None
        reason = "abstained" if label is None else None
        verdicts.append(Verdict(sample.uid, "video" if label == "unsure" else label, confidence, MODEL, reason, sni))
    return [encode_verdicts(worker, verdicts[at : at + MAX_VERDICTS]) for at in range(0, len(verdicts), MAX_VERDICTS)]


def counted(lines: list[dict[str, Any]], *names: str) -> Counter[tuple[Any, ...]]:
    return Counter(tuple(line.get(name) for name in names) for line in lines)


@pytest.mark.slow
def test_acts(faults: ModuleType, pretender: ModuleType, tmp_path: Path) -> None:
    """A standalone Zeek with an agent, whose policy is replaced by a bad one and then by one that only logs."""
    capture = faults.make_capture(tmp_path / "c.pcap", connections=700, seconds=5, seed=7003)
    policy = tmp_path / "policy.toml"
    policy.write_text(POLICY)
    (tmp_path / "more.zeek").write_text(SCRIPT)
    worker = pretender.Pretender(RECORDS, bodies=verdicts_of)
    with faults.Site(tmp_path / "site") as site:
        site.start_zeek(
            capture, str(tmp_path / "more.zeek"), f"EACF::policy_file={policy}", "EACF::act_timeout=400msec"
        )
        steps = iter([(80, POLICY + "\n[label.x]\nblok = true\n"), (0, POLICY.replace('"act"', '"dry-run"'))])
        step: tuple[int, str] | None = next(steps)

        late: Agent | None = None

        def turn() -> bool:
            nonlocal step, late
            agent.turn()
            if late is not None:
                late.turn()
            elif len(agent.acts) >= 40:
                late = agents.enter_context(Agent(site.endpoints))
            log = site.folder / "notice.log"
            refused = log.exists() and "Policy_Refused" in log.read_text()
            if step is not None and len(agent.acts) >= step[0] and (step[0] or refused):
                policy.write_text(step[1])
                step = next(steps, None)
            return False

        with ExitStack() as agents, Agent(site.endpoints) as agent:
            pretender.serve(site.endpoints, site.zeek, [worker], turn)
        outcome = site.end()
    assert outcome.closes, outcome.words
    lines = outcome.log("eacf_actions")
    done = counted(lines, "policy", "act", "outcome", "why")
    over = "the connection is over"

    # Each table's act, with its outcome; nothing else was done.
    assert done["label silent", "qos", "no answer", None] > 0
    assert {key for key in done if key[2] not in {"dry-run", "no agent", "no answer"} and key[3] != over} == {
        ("group media", "qos", "in place", None),
        ("label slow one", "qos", "in place", None),
        ("label torrent", "block", "in place", None),
        ("label copy", "shunt", "in place", None),
        ("label copy", "qos", "in place", None),
        ("label refused", "qos", "refused", "full"),
        ("label silent", "qos", "refused", "taken back before it was in place"),
        ("unknown", "qos", "in place", None),
        ("server name contradicted", "block", "in place", None),
    }
    assert late is not None
    assert {agent.id, "switch"} <= {each["agent"] for each in lines if each["outcome"] == "in place"}
    assert {each["agent"] for each in lines if "agent" in each} <= {agent.id, late.id, "switch"}
    video = next(each for each in lines if each["policy"] == "group media" and each["outcome"] == "in place")
    assert (video["priority"], video["dscp"], video["confidence"], video["model"]) == ("high", 34, 0.97, MODEL)
    assert video["until"] - video["ts"] == pytest.approx(3600)
    assert 0 <= video["latency"] < 0.5  # 0 where the wall clock was set back
    slow = next(each for each in lines if each["policy"] == "label slow one")
    assert slow["rate"] == 5_000_000
    assert slow["until"] - slow["ts"] == pytest.approx(60)
    assert "dscp" not in slow

    # What the agent was asked for is what the lines say; what was on a connection ended with it.
    asked = {act.id: act for act in agent.acts}
    told = {each["rule"]: each for each in lines if each["act"] == "qos" and "rule" in each}
    assert {act.id for act in agent.acts if act.kind == "qos"} == set(told)
    for rule, line in told.items():
        act = asked[rule]
        assert (act.key, act.priority, act.dscp, act.rate) == (
            line["policy"],
            line.get("priority"),
            line.get("dscp"),
            line.get("rate"),
        )
        assert (str(act.orig_h), act.orig_p, str(act.resp_h), act.resp_p, act.protocol) == (
            line["id.orig_h"],
            line["id.orig_p"],
            line["id.resp_h"],
            line["id.resp_p"],
            "tcp",
        )
    assert len(set(agent.ended) & set(told)) > 20
    drops = [act for act in agent.acts if act.kind == "drop"]
    assert {(act.key, act.lasts_s) for act in drops} == {("label torrent", 600.0), ("server name contradicted", 3600.0)}

    # An agent that came later has them all: those in place, for the time that is left, and the ones since.
    before = [act for act in late.acts if act.id in {each.id for each in agent.acts[:40]} and act.kind == "drop"]
    full = {act.id: act.lasts_s for act in agent.acts}
    assert before
    assert all(full[act.id] - 60 < act.lasts_s < full[act.id] for act in before)
    assert {act.id for act in agent.acts[100:]} <= {act.id for act in late.acts}

    # NetControl: the other script's rule came and went, and so did what the agent took away by itself.
    (host,) = [act for act in agent.acts if act.kind == "drop_host"]
    assert (str(host.orig_h), host.width, host.key, host.lasts_s) == ("203.0.113.9", 32, "", 0.5)
    assert host.id in agent.ended
    rules = outcome.log("netcontrol")
    removed = [each for each in rules if each.get("state") == "NetControl::REMOVED" or each.get("cmd") == "REMOVE"]
    assert {each.get("msg") for each in removed if each["state"] == "NetControl::SUCCEEDED"} >= {"left alone", "gone"}

    # Left alone, unsure; no word of them.
    assert not [each for each in lines if each["id.orig_h"].startswith("198.18.0.") and int(each["id.orig_h"][9:]) < 32]
    assert not [each for each in lines if each.get("confidence") == 0.5 or each.get("label") == "other"]
    said = json.loads(re.findall("^STATUS (.*)$", outcome.words, re.MULTILINE)[0])["acts"]
    metrics = dict(each.rsplit("=", 1) for each in re.findall("^METRIC (.*)$", outcome.words, re.MULTILINE))
    assert said["left_alone"] == int(metrics["left alone"]) > 10
    assert said["unsure"] == int(metrics["unsure"]) > 10
    assert said["done"] == {f"{act} {end}": n for (act, end), n in counted(lines, "act", "outcome").items()}
    assert said["done"] == {name: int(n) for name, n in metrics.items() if name in said["done"]}

    # The bad policy was refused, once, and the one before it stayed; the good one holds.
    (notice,) = [each for each in outcome.log("notice") if each["note"] == "EACF::Policy_Refused"]
    assert "[label.x] blok = true: there is no such key here" in notice["msg"]
    assert said["mode"] == "dry-run"
    first = min(each["ts"] for each in lines if each["outcome"] == "dry-run")
    assert len([each for each in lines if each["outcome"] == "dry-run"]) > 5
    assert not [each for each in lines if each["ts"] > first and each["outcome"] != "dry-run"]


@pytest.mark.slow
def test_in_a_cluster_the_manager_speaks_for_netcontrol(
    faults: ModuleType, pretender: ModuleType, tmp_path: Path
) -> None:
    capture = faults.make_capture(tmp_path / "c.pcap", connections=200, seconds=2, seed=7003)
    (tmp_path / "policy.toml").write_text(POLICY)
    worker = pretender.Pretender(RECORDS, bodies=verdicts_of)
    with faults.Site(tmp_path) as site:
        nodes = faults.start_cluster(
            site, capture, f"EACF::policy_file={tmp_path}/policy.toml", "EACF::worker_retry=500msec"
        )
        with Agent(site.endpoints, refuses=("server name contradicted",)) as agent:

            def is_over() -> bool:
                agent.turn()
                return nodes["worker-2"].poll() is not None

            pretender.serve(site.endpoints, nodes["worker-1"], [worker], is_over)
            for node in ("worker-1", "worker-2"):
                nodes[node].wait(LIMIT_S)
    lines = [
        each for node in ("worker-1", "worker-2") for each in faults.Outcome(folder=tmp_path / node).log("eacf_actions")
    ]
    done = counted(lines, "policy", "act", "outcome", "why")
    assert done["label torrent", "block", "in place", None] > 1
    assert done["server name contradicted", "block", "refused", "full"] > 1
    assert done["label copy", "shunt", "refused", "no backend of NetControl takes it"] > 1
    assert done["group media", "qos", "in place", None] > 5
    assert {each["agent"] for each in lines if each["outcome"] == "in place"} == {agent.id}
    blocks = [each for each in lines if each["act"] == "block" and each["outcome"] == "in place"]
    assert {each["rule"].split(":")[0] for each in blocks} <= {"worker-1", "worker-2"}
    # Both workers and the manager speak to the agent, each on its own account; each drop once.
    assert len(agent.askers) == 3
    drops = [act.id for act in agent.acts if act.kind == "drop"]
    assert len(drops) == len(set(drops)) == len([each for each in lines if each["act"] == "block" and "agent" in each])
    assert len({each.split(".")[0] for each in drops}) == 1
