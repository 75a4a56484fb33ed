"""Connections, labelled: which are learnt, which are background, which are left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import numpy as np
import pytest

from eacf.flow import Sample
from eacf.labels import LabelRules
from eacf.recording import line
from eacf_trainer import flows
from eacf_trainer.dataset import Dataset, Options, build, serial
from eacf_trainer.flows import ABSENT, Flows, FlowsError
from eacf_trainer.predictions import UNKNOWN
from eacf_trainer.recipe import Labels

Made = Callable[..., Dataset]


@pytest.fixture
def recorded(tmp_path: Path) -> Made:
    """A dataset of one recording a name: how many connections to which server each."""

    def make(**captures: dict[str | None, int]) -> Dataset:
        number = 0
        for capture, servers in captures.items():
            lines = []
            for server, count in servers.items():
                for _ in range(count):
                    number += 1
                    ends = (ip_address("192.0.2.1"), 1024 + number, ip_address("198.51.100.1"), 443)
                    sample = Sample(f"C{number}", number * 10**9, *ends, server, b"", [], [300, -number])
                    lines.append(line(b"eacf.flows", "zeek-1", "eacf.verdict.zeek.", sample))
            (tmp_path / f"{capture}.jsonl").write_bytes(b"".join(lines))
        given = [tmp_path / f"{capture}.jsonl" for capture in captures]
        return build(given, tmp_path / "dataset", Options(("records",)), runner=serial)

    return make


def test_every_connection_is_there_once_with_its_cuts(site: Dataset, found: Flows, rules: LabelRules) -> None:
    rows = site.table(["cut", "connection", "server_name", "capture", "orig_h", "start_ns"]).to_pylist()
    named = {row["connection"] for row in rows if row["server_name"] is not None}
    assert set(found.connection.tolist()) == named
    assert len(found) == len(named)
    for number in range(0, len(found), 7):
        for cut in ("records", "stream"):
            own = [
                row
                for row, each in enumerate(rows)
                if each["connection"] == found.connection[number] and each["cut"] == cut
            ]
            assert own == ([] if found.rows[cut][number] == ABSENT else [found.rows[cut][number]])
            if own:
                row = rows[own[0]]
                assert (row["capture"], row["orig_h"]) == (found.captures[number], found.clients[number])
                assert (row["start_ns"], row["server_name"]) == (found.start_ns[number], found.server_names[number])
        name = rules.label(found.server_names[number])
        assert found.names[number] == name
        wanted = found.wanted[number]
        assert (found.labels[wanted] if wanted != UNKNOWN else None) == (name if name in found.labels else None)


def test_labels_with_too_little_are_refused_and_it_is_said_why(recorded: Made) -> None:
    servers: dict[str | None, int] = {"a.one.com": 2, "b.two.com": 1, None: 3}
    dataset = recorded(x=servers | {"c.three.com": 9}, y=servers, z={"a.one.com": 2, "b.two.com": 1})
    rules = LabelRules.named("domains")
    found = flows.read(dataset, rules, Labels(least_flows=3, least_captures=3))
    assert found.labels == ("one.com", "two.com")
    assert dict(found.refused) == {
        "three.com": "is in 1 captures (copies counted once), labels.least_captures is 3: no split could tell it from "
        "the capture"
    }
    assert Counter(found.names) == {"one.com": 6, "two.com": 3, "three.com": 9}
    assert len(found) == 18  # those without a server name may be of any label
    assert (found.wanted == UNKNOWN).sum() == 9
    with pytest.raises(FlowsError, match=r"only one.com can be learnt, 2 at least are needed: .*two.com has 3 flows"):
        flows.read(dataset, rules, Labels(least_flows=4, least_captures=3))
    with pytest.raises(FlowsError, match=r"no label can be learnt, .*lower labels.least_flows and labels.least_capt"):
        flows.read(dataset, rules, Labels())


def test_one_label_or_no_name_at_all(recorded: Made) -> None:
    dataset = recorded(x={None: 5}, y={None: 5})
    with pytest.raises(FlowsError, match=r"has no connection with a server name \(10 rows\); build it from captures"):
        flows.read(dataset, LabelRules.named("domains"), Labels(1, 1))


def test_one_label(recorded: Made) -> None:
    dataset = recorded(x={"a.one.com": 5}, y={"b.one.com": 5})
    with pytest.raises(FlowsError, match=r"only one.com can be learnt, 2 at least are needed; add captures"):
        flows.read(dataset, LabelRules.named("domains"), Labels(least_flows=1, least_captures=1))


def test_captures_with_copies_of_a_connection_are_one(
    site: Dataset, found: Flows, captures: Path, tmp_path: Path
) -> None:
    assert len(set(found.copies.tolist())) == 8
    assert len(set(found.groups("environment").tolist())) == 4
    assert found.groups("random").tolist() == list(range(len(found)))
    one, other = [place for place, name in enumerate(found.captures) if name != found.captures[0]][:1], [0]
    keys = list(range(len(found)))
    keys[one[0]] = keys[other[0]]
    merged = flows.splits.merged_groups(found.copies, keys)
    assert len(set(merged.tolist())) == 7


def test_every_protocol_has_folds(found: Flows) -> None:
    for protocol in ("grouped", "random", "environment", "client"):
        fold = found.folds(protocol, 3, 1, 0.2)
        assert fold.shape == (len(found),)
        assert set(fold.tolist()) == {0, 1, 2}
    assert 0.15 < found.folds("time", 3, 1, 0.2).mean() < 0.25


def test_the_card_counts(found: Flows, site: Dataset, rules: LabelRules) -> None:
    card = flows.card(found, site, rules)
    assert card["flows"] == int(found.known.sum()) == sum(each["flows"] for each in card["labels"].values())
    assert (card["id"], card["connections"], card["captures"], card["environments"]) == (site.id, len(found), 8, 4)
    assert sum(card["tls_versions"].values()) == len(found)
    assert card["unlabelled"] == found.names.count(None)
    for label, each in card["labels"].items():
        own = [place for place, name in enumerate(found.names) if name == label]
        assert each["captures"] == len({found.captures[place] for place in own})
        assert each["first_ns"] == min(found.start_ns[own])
    assert set(card["refused"]) == set(replace(found).refused)
    assert np.all(found.start_ns > 0)
