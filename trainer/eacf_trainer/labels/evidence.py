"""Which registrable domains may belong together: by their names, and by the networks that their servers are in.

What is met in the same captures by the same clients is told, and joins nothing: ads are met with every application.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import ip_address, ip_network
from itertools import chain, combinations

from eacf.labels.names import stem

LONG_STEM = 5
"""Letters with which another domain's name must begin to be taken for the same owner's (google, googleapis)."""
SHORT_STEMS = (3, 4)
"""Letters of an abbreviation (szn for seznam: its first letter, then consonants in order)."""
SHARED_BY = 4
"""A network with servers of more domains than this is a hoster's, and says nothing."""
LEAST_NETWORKS = 2
TOGETHER = 0.8
"""Part of a group's captures and clients in which another domain is met to be told of..."""
LEAST_PLACES = 3
LIFT = 3.0
"""...if that is so many times as often as elsewhere."""


@dataclass(eq=False)
class Domain:
    """A registrable domain, as seen."""

    name: str
    kind: str
    hosts: Counter[str] = field(default_factory=Counter)
    """Flows of each server name."""
    captures: Counter[str] = field(default_factory=Counter)
    places: set[tuple[str, str]] = field(default_factory=set)
    """Capture and client."""
    networks: set[str] = field(default_factory=set)
    """/24 of IPv4, /48 of IPv6."""

    @property
    def flows(self) -> int:
        """Connections."""
        return self.hosts.total()

    def add(self, host: str, capture: str, client: str, server: str, flows: int) -> None:
        """Count connections."""
        self.hosts[host] += flows
        self.captures[capture] += flows
        self.places.add((capture, client))
        if network := network_of(server):
            self.networks.add(network)


@dataclass(frozen=True)
class Link:
    """Why two domains may be one owner's."""

    one: str
    other: str
    reason: str


@lru_cache(65_536)
def network_of(address: str) -> str:
    """The network of an address; empty if it is none."""
    try:
        version = ip_address(address).version
    except ValueError:
        return ""
    return str(ip_network(f"{address}/{24 if version == 4 else 48}", strict=False))


def links(domains: Sequence[Domain]) -> Iterator[Link]:
    """Every reason found, between domains of one kind."""
    by_name = {domain.name: domain for domain in domains}
    shared = _shared_networks(domains)
    pairs = {*_alike(domains), *shared}
    for pair in sorted(pairs):
        one, other = (by_name[name] for name in pair)
        if one.kind == other.kind and (reason := _reason(one, other, shared.get(pair, 0))):
            yield Link(one.name, other.name, reason)


def by_place(domains: Iterable[Domain]) -> dict[tuple[str, str], list[Domain]]:
    """The domains that each capture's clients met."""
    there: dict[tuple[str, str], list[Domain]] = defaultdict(list)
    for domain in domains:
        for place in domain.places:
            there[place].append(domain)
    return there


def together(
    group: Sequence[Domain], there: Mapping[tuple[str, str], Sequence[Domain]]
) -> list[tuple[Domain, int, int]]:
    """Domains outside a group that are met where it is: (domain, places of both, places of the group); the closest first.

    `there`: what is met where (:func:`by_place`).
    """
    where = sorted(set().union(*(domain.places for domain in group)))
    if len(where) < LEAST_PLACES:
        return []
    inside = {domain.name for domain in group}
    both = Counter(chain.from_iterable(there[place] for place in where))
    found = [
        (domain, count, len(where))
        for domain, count in both.items()
        if count >= TOGETHER * len(where)
        and count * len(there) >= LIFT * len(where) * len(domain.places)
        and domain.name not in inside
    ]
    return sorted(found, key=lambda each: (-each[1] / len(each[0].places), each[0].name))


def groups(domains: Sequence[Domain], found: Iterable[Link]) -> list[list[tuple[Domain, str]]]:
    """Domains that links join, each with its reason; the one with most flows first, without any."""
    by_name = {domain.name: domain for domain in domains}
    next_to: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for link in found:
        next_to[link.one].append((link.other, link.reason))
        next_to[link.other].append((link.one, link.reason))
    result = []
    done: set[str] = set()
    for main in sorted(domains, key=lambda each: (-each.flows, each.name)):
        if main.name in done:
            continue
        done.add(main.name)
        group = [(main, "")]
        for domain, _ in group:  # grows meanwhile
            for other, reason in sorted(next_to[domain.name], key=lambda each: (-by_name[each[0]].flows, each[0])):
                if other not in done:
                    done.add(other)
                    group.append((by_name[other], f"{domain.name}: {reason}"))
        result.append(group)
    return result


def _alike(domains: Sequence[Domain]) -> Iterator[tuple[str, str]]:
    """Pairs whose stems are equal, or one begins with the other."""
    stems = sorted((stem(domain.name), domain.name) for domain in domains)
    for place, (first, name) in enumerate(stems):
        for other, other_name in stems[place + 1 :]:
            if other != first and (len(first) < LONG_STEM or not other.startswith(first)):
                break
            yield _pair(name, other_name)


def _shared_networks(domains: Sequence[Domain]) -> dict[tuple[str, str], int]:
    """How many networks two domains have in common, hosters' left out."""
    there: dict[str, list[str]] = defaultdict(list)
    for domain in domains:
        for network in domain.networks:
            there[network].append(domain.name)
    return Counter(
        _pair(one, other)
        for names in there.values()
        if len(names) <= SHARED_BY
        for one, other in combinations(names, 2)
    )


def _reason(one: Domain, other: Domain, shared: int) -> str:
    first, second = sorted((stem(one.name), stem(other.name)), key=len)
    fewest = min(len(one.networks), len(other.networks))
    if first == second:
        return "the same name elsewhere"
    if len(first) >= LONG_STEM and second.startswith(first):
        return f"begins with {first}"
    if shared and (len(first) in SHORT_STEMS and _bones(second).startswith(first)):
        return f"{first} abbreviates {second}, and {shared} of {fewest} networks are the same"
    if shared >= LEAST_NETWORKS and 2 * shared >= fewest:
        return f"{shared} of {fewest} networks are the same"
    return ""


def _bones(word: str) -> str:
    """The first letter and the consonants after it."""
    return word[:1] + "".join(letter for letter in word[1:] if letter not in "aeiouy-")


def _pair(one: str, other: str) -> tuple[str, str]:
    return (one, other) if one < other else (other, one)
