"""Suggested labels: what they say, and that they can be pasted."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eacf.labels import LabelRules, Why
from eacf.labels.file import parse
from eacf_trainer.dataset import Options, build, serial
from eacf_trainer.labels.remarks import remarks
from eacf_trainer.labels.seen import Place, Seen
from eacf_trainer.labels.suggest import no_rules, suggestion


def seen(*rows: tuple[str | None, int, str]) -> Seen:
    """Of (server name, flows, server)."""
    made = Seen()
    for name, flows, server in rows:
        for number in range(flows):
            made.flows[Place(name, f"{number % 4}.pcap", f"10.0.0.{number % 3}", server)] += 1
    return made


OFFICE = seen(
    ("www.seznam.cz", 20, "77.75.74.1"),
    ("login.seznam.cz", 7, "77.75.75.1"),
    ("login.szn.cz", 12, "77.75.74.2"),
    ("www.google.com", 8, "142.250.1.1"),
    ("play.googleapis.com", 3, "142.250.2.1"),
    ("ad.doubleclick.net", 11, "142.250.3.1"),
    ("rare.example.org", 2, "192.0.2.1"),
    ("cloudflare-ech.com", 5, "104.16.0.1"),
    ("192.0.2.9", 1, "192.0.2.9"),
    (None, 4, "192.0.2.3"),
)


def test_groups_are_told_with_counts_and_reasons() -> None:
    assert (
        suggestion(OFFICE, no_rules())
        == """\
# 73 flows of 3 clients in 4 captures.
# By no map: 63 no rule, 5 ECH public name, 4 no server name, 1 not a host name.
# 6 domains without a rule; left out, as groups of fewer than 10 flows: 1.
# Domains are put together by their names and by the networks of their servers. Look before you use it.

[labels.seznam]
rules = [
    "+.seznam.cz", # 27 flows (www 20, login 7)
    "+.szn.cz", # 12 flows (login 12); seznam.cz: szn abbreviates seznam, and 1 of 1 networks are the same
]
# 39 flows, 4 captures, 3 clients; the largest capture has 26% of the flows

[labels."doubleclick.net"]
kind = "ads"
rules = [
    "+.doubleclick.net", # 11 flows (ad 11)
]
# 11 flows, 4 captures, 3 clients; the largest capture has 27% of the flows

[labels.google]
rules = [
    "+.google.com", # 8 flows (www 8)
    "+.googleapis.com", # 3 flows (play 3); google.com: begins with google
]
# 11 flows, 4 captures, 3 clients; the largest capture has 27% of the flows
"""
    )


def test_what_belongs_to_a_label_of_the_map_is_a_comment() -> None:
    rules = LabelRules(
        "office", parse('[labels.seznam]\nrules = ["www.seznam.cz"]\n[labels.g]\nrules = ["+.googleapis.com"]', "f")
    )
    text = suggestion(OFFICE, rules, 5)
    assert (
        """\
# Of the label seznam, which the map has, may also be; add these to its rules:
#     "+.szn.cz", # 12 flows (login 12); seznam.cz: szn abbreviates seznam, and 1 of 1 networks are the same
#     "+.seznam.cz", # 7 flows (login 7); the map has rules for other names of it
"""
        in text
    )
    assert '#     "+.google.com", # 8 flows (www 8); googleapis.com: begins with google\n' in text
    assert list(tomllib.loads(text)["labels"]) == ["doubleclick.net"]


@pytest.mark.parametrize(
    ("there", "rule"),
    [("x.seznam.cz", "+.seznam.cz"), ("seznam.cz", "*.seznam.cz"), ("*.seznam.cz", "seznam.cz")],
)
def test_what_is_suggested_does_not_claim_what_has_a_rule(there: str, rule: str) -> None:
    rules = LabelRules("office", parse(f'[labels.other]\nrules = ["{there}"]', "f"))
    made = seen(*((name, 20, "192.0.2.1") for name in ("seznam.cz", "www.seznam.cz", "x.seznam.cz")))
    assert f'#     "{rule}", # ' in suggestion(made, rules)


def test_the_maps_domains_and_services_leave_little_to_say() -> None:
    text = suggestion(OFFICE, LabelRules.named("services"), 1)
    assert tomllib.loads(text)["labels"].keys() == {"example.org"}
    assert (
        "# By the map services: 61 rule, 5 ECH public name, 4 no server name, 2 registrable domain, 1 not a host name."
        in text
    )


def test_a_capture_that_most_flows_are_of_is_told() -> None:
    made = seen(("www.a.com", 1, "192.0.2.1"))
    made.flows[Place("www.a.com", "large.pcap", "10.0.0.1", "192.0.2.1")] = 49
    assert "the largest capture has 98% of the flows" in suggestion(made, no_rules())


def test_the_shared_captures(shared: Path, tmp_path: Path) -> None:
    folder = shared / "pcaps" / "apps" / "andypitcher+IoT_Sentinel"
    if not folder.is_dir():
        pytest.skip("not there")
    dataset = build([folder], tmp_path / "dataset", Options(cuts=("records",)), runner=serial)
    text = suggestion(Seen.of([dataset.folder]), no_rules(), 1)
    rules = LabelRules("made", parse(text, "made.toml"))
    assert rules.label("api.xbcs.net") == "xbcs.net"


BASES = [
    "",
    '[labels.seznam]\nrules = ["seznam.cz", "*.szn.cz"]\n',
    '[labels."a.com"]\nrules = ["+.b.com"]\n[labels.b]\nrules = ["a.com"]\n[tests]\n"b.com" = "a.com"\n',
    'fallback = "registrable-domain"\nunlabelled = ["*.a.com"]\n[labels.google]\nrules = ["www.google.de"]\n',
]
NAMES = st.builds(
    lambda host, name, suffix: ".".join(filter(None, [host, name, suffix])),
    st.sampled_from(["", "www", "x.y"]),
    st.sampled_from(["a", "b", "seznam", "szn", "google", "googleapis", "github", "xn--bcher-kva", "a_b"]),
    st.sampled_from(["com", "cz", "de", "co.uk", "io", "lan"]),
)


SERVERS = st.sampled_from(["192.0.2.1", "10.1.1.1", "10.1.2.1", "x"])


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(BASES),
    st.lists(
        st.tuples(
            st.one_of(NAMES, st.none(), st.text(max_size=5)),
            st.integers(1, 4),
            SERVERS,
        )
    ),
    st.integers(1, 4),
)
def test_a_suggestion_can_be_pasted_and_claims_what_it_says(
    base: str, rows: list[tuple[str | None, int, str]], least: int
) -> None:
    there = LabelRules("base", parse(base, "base.toml")) if base else no_rules()
    text = suggestion(seen(*rows), there, least)
    added = tomllib.loads(text).get("labels", {})
    if not (base or added):
        return
    pasted = LabelRules("pasted", parse(base + text, "pasted.toml"))
    assert pasted.file.kinds.keys() == there.file.kinds.keys() | added.keys()
    for name, _, _ in rows:
        before, after = there.explain(name), pasted.explain(name)
        if before.why is not Why.NO_RULE and before.why is not Why.FALLBACK:
            assert (after.label, after.why) == (before.label, before.why)
        elif after.why is Why.RULE:
            assert after.label in added
    assert not [remark for remark in remarks(pasted) if "says no more" in remark]
