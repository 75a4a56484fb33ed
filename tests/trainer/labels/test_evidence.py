"""Which domains may belong together."""

from __future__ import annotations

import pytest

from eacf_trainer.labels.evidence import Domain, Link, by_place, groups, links, network_of, together


def domain(name: str, *servers: str, kind: str = "application", flows: int = 1, places: int = 1) -> Domain:
    made = Domain(name, kind)
    for server in servers or ("192.0.2.1",):
        for place in range(places):
            made.add(f"www.{name}", f"{place}.pcap", "10.0.0.1", server, flows)
    return made


def nets(*numbers: int) -> list[str]:
    return [f"10.{number}.0.{number % 200}" for number in numbers]


@pytest.mark.parametrize(
    ("one", "other", "reason"),
    [
        (domain("google.com"), domain("google.cz"), "the same name elsewhere"),
        (domain("google.com"), domain("googleapis.com"), "begins with google"),
        (domain("ford.com"), domain("fordham.edu"), ""),
        (domain("google.com"), domain("google.cz", kind="ads"), ""),
        (
            domain("seznam.cz", *nets(1, 2)),
            domain("szn.cz", *nets(2)),
            "szn abbreviates seznam, and 1 of 1 networks are the same",
        ),
        (domain("seznam.cz", *nets(1)), domain("szn.cz", *nets(2)), ""),
        (domain("seznam.cz", *nets(1)), domain("ezn.cz", *nets(1)), ""),
        (domain("a.cz", *nets(1, 2, 3)), domain("b.cz", *nets(2, 3, 4, 5)), "2 of 3 networks are the same"),
        (domain("a.cz", *nets(1, 2, 3, 4, 5)), domain("b.cz", *nets(1, 2, 6, 7, 8)), ""),
        (domain("a.cz", *nets(1)), domain("b.cz", *nets(1)), ""),
    ],
)
def test_names_and_networks_join_domains(one: Domain, other: Domain, reason: str) -> None:
    for pair in ([one, other], [other, one]):
        assert [link.reason for link in links(pair)] == ([reason] if reason else [])


def test_a_hosters_networks_join_nothing() -> None:
    tenants = [domain(f"{name}.com", *nets(1, 2, 3)) for name in ("shop", "bank", "news", "play", "blog")]
    assert list(links(tenants)) == []
    assert len(list(links(tenants[:4]))) == 6


def test_networks() -> None:
    assert network_of("192.0.2.77") == "192.0.2.0/24"
    assert network_of("2001:db8:1:2::3") == "2001:db8:1::/48"
    assert network_of("nowhere") == ""


def test_groups_follow_links_from_the_largest() -> None:
    some = [domain("a.com", flows=5), domain("b.com", flows=9), domain("c.com"), domain("d.com", flows=2)]
    found = groups(some, [Link("a.com", "b.com", "x"), Link("a.com", "c.com", "y")])
    assert [[(each.name, reason) for each, reason in group] for group in found] == [
        [("b.com", ""), ("a.com", "b.com: x"), ("c.com", "a.com: y")],
        [("d.com", "")],
    ]


def test_what_is_met_with_a_group_is_told_if_it_is_met_less_elsewhere() -> None:
    group = domain("a.com", places=5)
    near = domain("near.com", places=4)
    everywhere = domain("every.com", places=50)
    rare = domain("rare.com", places=1)
    there = by_place([group, near, everywhere, rare])
    assert together([group], there) == [(near, 4, 5)]
    assert together([everywhere], there) == []
    assert together([group], by_place([group, near, domain("b.com", places=10)])) == []
    assert together([near, group], there) == []
    assert together([domain("a.com", places=2)], by_place([domain("b.com", places=2)])) == []
