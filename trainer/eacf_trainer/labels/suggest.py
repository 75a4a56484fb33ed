"""What a label map might say of server names that it has no rule for, as TOML that can be pasted into it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from eacf.labels import suffixes
from eacf.labels.file import KINDS, MapFile
from eacf.labels.names import name_of, stem
from eacf.labels.rules import LabelRules, Why
from eacf_trainer.labels.evidence import Domain, by_place, groups, links, together
from eacf_trainer.labels.seen import Seen

LEAST_FLOWS = 10
SHOWN_HOSTS = 3
SHOWN_OTHERS = 4
HALF = "the map has rules for other names of it"

Group = Sequence[tuple[Domain, str]]


@dataclass
class _Sorted:
    """What was seen, by what the map says of it."""

    flows: Counter[Why] = field(default_factory=Counter)
    open: dict[str, Domain] = field(default_factory=dict)
    """Domains of names without a rule."""
    ruled: dict[str, str] = field(default_factory=dict)
    """Label that a rule of the file gives to names of a domain..."""
    known: dict[str, Domain] = field(default_factory=dict)
    """...and those names."""

    def domains(self) -> list[Domain]:
        """All of them; of a domain with both kinds of names those without a rule are counted."""
        for name, domain in self.known.items():
            if name in self.open:
                self.open[name].networks |= domain.networks
        return [domain for _, domain in sorted((self.known | self.open).items())]


def no_rules() -> LabelRules:
    """A map that knows nothing."""
    return LabelRules("none", MapFile("no map"))


def suggestion(seen: Seen, rules: LabelRules, least: int = LEAST_FLOWS) -> str:
    """A TOML fragment: a label for each group of domains that no rule claims, of `least` flows or more. Counts are comments."""
    found = _sorted(seen, rules)
    domains = found.domains()
    there = by_place(domains)
    parts, left, taken = [], [], set(rules.file.kinds)
    for group in groups(domains, links(domains)):
        new = [(domain, reason) for domain, reason in group if domain.name in found.open]
        flows = sum(domain.flows for domain, _ in new)
        if flows < least:
            left += new
            continue
        known = [(found.ruled[domain.name], domain, reason) for domain, reason in group if domain.name in found.ruled]
        label = known[0][0] if known else _label(group, taken)
        if known:
            new = [(domain, HALF if domain.name in found.ruled else reason) for domain, reason in new]
            new[0] = (new[0][0], new[0][1] or _turned(new[0][0], known[0][1], known[0][2]))
        taken.add(label)
        inside = [domain for domain, _ in group]
        near = together(inside, there) if inside[0].kind == KINDS[0] else []
        parts.append((flows, "\n".join(_table(label, new, rules, near, known=bool(known)))))
    parts.sort(key=lambda each: -each[0])
    return "\n\n".join(["\n".join(_heading(seen, found, rules, left, least)), *(text for _, text in parts)]) + "\n"


def _sorted(seen: Seen, rules: LabelRules) -> _Sorted:
    found = _Sorted()
    counted: dict[str | None, tuple[Domain | None, str]] = {}
    for place, flows in seen.flows.items():
        if place.server_name not in counted:
            counted[place.server_name] = _of(place.server_name, rules, found)
        domain, host = counted[place.server_name]
        found.flows[rules.explain(place.server_name).why] += flows
        if domain is not None:
            domain.add(host, place.capture, place.client, place.server, flows)
    return found


def _of(server_name: str | None, rules: LabelRules, found: _Sorted) -> tuple[Domain | None, str]:
    """Where to count a name, and the name in lower case; None: nowhere."""
    answer = rules.explain(server_name)
    host = name_of(server_name or "")
    domain = None if host is None else suffixes.registrable(host)
    if host is None or domain is None or answer.why in (Why.ECH, Why.UNLABELLED):
        return None, ""
    if answer.why is not Why.RULE:
        if domain not in found.open:
            found.open[domain] = Domain(domain, _kind(domain))
        return found.open[domain], host
    if answer.label is None or answer.label not in rules.file.kinds:
        return None, ""  # a list's
    found.ruled[domain] = answer.label
    if domain not in found.known:
        found.known[domain] = Domain(domain, rules.kind(answer.label))
    return found.known[domain], host


def _kind(domain: str) -> str:
    """By the shipped lists, even where the map does not take them in."""
    return LabelRules.named("domains").kind(domain)


def _label(group: Group, taken: set[str]) -> str:
    """The stem of the first domain, or a lone domain whole; never one that is taken."""
    main = group[0][0].name
    wanted = [stem(main), main] if len(group) > 1 else [main]
    return next((label for label in wanted if label not in taken), f"{main} (2)")


def _turned(main: Domain, known: Domain, reason: str) -> str:
    """Why the first of a group belongs to a domain that the map has, as that one's reason tells it."""
    return f"{known.name}{reason.removeprefix(main.name)}" if reason.startswith(f"{main.name}: ") else ""


def _table(
    label: str, new: Group, rules: LabelRules, near: Sequence[tuple[Domain, int, int]], *, known: bool
) -> Iterator[str]:
    """The lines of one label; comments only if the map has it already, since TOML allows no second table."""
    before = "# " if known else ""
    flows, captures, clients = _counts(domain for domain, _ in new)
    if known:
        yield f"# Of the label {label}, which the map has, may also be; add these to its rules:"
    else:
        key = label if label.replace("-", "").replace("_", "").isalnum() else f'"{label}"'
        yield f"[labels.{key}]"
        if new[0][0].kind != KINDS[0]:
            yield f'kind = "{new[0][0].kind}"'
        yield "rules = ["
    for domain, reason in new:
        because = f"; {reason}" if reason else ""
        yield f'{before}    "{_rule(domain.name, rules)}", # {_told(domain)}{because}'
    if not known:
        yield "]"
    largest = Counter[str]()
    for domain, _ in new:
        largest.update(domain.captures)
    most = largest.most_common(1)[0][1]
    places = f"{number(captures, 'capture')}, {number(clients, 'client')}"
    yield f"# {number(flows, 'flow')}, {places}; the largest capture has {most / flows:.0%} of the flows"
    if near:
        told = ", ".join(
            f"{domain.name} ({both} of {where}{'' if domain.kind == KINDS[0] else ', ' + domain.kind})"
            for domain, both, where in near[:SHOWN_OTHERS]
        )
        yield f"# met by the same clients in the same captures: {told}"


def _rule(domain: str, rules: LabelRules) -> str:
    """For what of a domain no rule of the file claims."""
    if domain in rules.file.rules:
        return f"*.{domain}"
    return domain if f"*.{domain}" in rules.file.rules else f"+.{domain}"


def _told(domain: Domain) -> str:
    hosts = ", ".join(f"{host.removesuffix('.' + domain.name)} {flows:,}" for host, flows in _first(domain.hosts))
    more = ", ..." if len(domain.hosts) > SHOWN_HOSTS else ""
    return f"{domain.flows:,} flows ({hosts}{more})"


def _first(hosts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(hosts.items(), key=lambda each: (-each[1], each[0]))[:SHOWN_HOSTS]


def _counts(domains: Iterator[Domain]) -> tuple[int, int, int]:
    """Flows, captures, clients."""
    flows, places = 0, set[tuple[str, str]]()
    for domain in domains:
        flows += domain.flows
        places |= domain.places
    return flows, len({capture for capture, _ in places}), len({client for _, client in places})


def _heading(seen: Seen, found: _Sorted, rules: LabelRules, left: Group, least: int) -> Iterator[str]:
    by = ", ".join(f"{flows:,} {why}" for why, flows in found.flows.most_common())
    captures = len({place.capture for place in seen.flows})
    clients = len({place.client for place in seen.flows})
    yield f"# {number(seen.flows.total(), 'flow')} of {number(clients, 'client')} in {number(captures, 'capture')}."
    yield f"# By {f'the map {rules.name}' if rules.file.kinds else 'no map'}: {by}."
    yield f"# {number(len(found.open), 'domain')} without a rule; left out, as groups of fewer than {least} flows: {len(left):,}."
    yield "# Domains are put together by their names and by the networks of their servers. Look before you use it."


def number(count: int, what: str) -> str:
    """A count and its noun."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"
