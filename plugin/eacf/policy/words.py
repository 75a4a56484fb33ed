"""What a policy would do, in words, and what about it looks like a slip."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from eacf.policy.model import Policy, Table, tc_text
from eacf.policy.units import DSCP, lasts_text, rate_text

MANY = 12
"""So many labels are named, and the rest counted."""


def told(policy: Policy) -> Iterator[str]:
    """Lines for a person: the mode, what is left alone, each table in the order in which they are asked, the agent's bounds."""
    if policy.mode == "act":
        yield "mode: act. What the tables say is done."
    else:
        yield "mode: dry-run. Nothing is done; eacf_actions.log says what would be."
    alone = ", ".join(str(each) for each in policy.leave_alone) or "nothing"
    yield f"left alone: {alone}"
    tables = tables_of(policy)
    yield "of these the first that fits a flow acts:" if tables else "no table: nothing is ever done"
    for number, (table, labels) in enumerate(tables, 1):
        yield f"  {number}. {fits(table, labels)}: {does(policy, table)}"
    bounds = policy.bounds
    yield (
        f"an agent keeps at most {bounds.rules:,} rules, {bounds.rules_per_host:,} a host, and takes "
        f"{bounds.rules_per_second:,} new ones a second"
    )


def tables_of(policy: Policy) -> list[tuple[Table, tuple[str, ...]]]:
    """Each table that can act, with its labels (none for the two that are for no label), in the order in which they are asked."""
    labels: dict[str, list[str]] = {}
    tables: dict[str, Table] = {}
    for label, table in policy.labels.items():
        tables[table.name] = table
        labels.setdefault(table.name, []).append(label)
    own = sorted(tables, key=lambda name: (not name.startswith("label "), name))
    found = [(tables[name], tuple(labels[name])) for name in own]
    if policy.contradicted is not None:
        found.insert(0, (policy.contradicted, ()))
    if policy.unknown is not None:
        found.append((policy.unknown, ()))
    return found


def fits(table: Table, labels: Sequence[str]) -> str:
    """Which flows a table is for."""
    sure = f" with confidence {table.confidence:g} or more" if table.confidence else ", however unsure"
    if not labels:
        if table.name == "unknown":
            return "unknown, the model abstained"
        return f"{table.name}, the traffic says another label than the name does,{sure}"
    if table.name.startswith("label "):
        return f"{table.name}{sure}"
    return f"{table.name} ({listed(labels)}){sure}"


def does(policy: Policy, table: Table) -> str:
    """What a table does."""
    parts: list[str] = []
    if table.block:
        parts.append("the connection is dropped")
    if table.priority is not None:
        meant = policy.classes[table.priority]
        way = [] if meant.mark is None else [f"ct mark {meant.mark}"]
        way += [] if meant.tc is None else [f"class {tc_text(meant.tc)}"]
        parts.append(f"priority {table.priority} ({', '.join(way)})")
    if table.dscp is not None:
        name = next((name for name, number in DSCP.items() if number == table.dscp), None)
        parts.append(f"DSCP {table.dscp}" + (f" ({name})" if name else ""))
    if table.rate is not None:
        parts.append(f"{rate_text(table.rate)} each way for all of them together")
    if table.shunt:
        parts.append("Zeek sees no more of it")
    return f"{', '.join(parts)}, for {lasts_text(table.lasts_s)}"


@dataclass(frozen=True, slots=True)
class Known:
    """What a bundle can say."""

    bundle: str
    """Its name, for messages."""
    labels: Sequence[str]
    sni_labels: Collection[str]
    """Those of its label map."""


def doubts(policy: Policy, known: Known | None = None) -> Iterator[str]:
    """What is allowed and yet looks like a slip."""
    if not tables_of(policy):
        yield "no table says what is to be done about any flow; [label.NAME], [group.NAME] or [unknown] do"
    marks: dict[int, str] = {}
    for name, each in policy.classes.items():
        if each.mark is not None and (other := marks.setdefault(each.mark, name)) != name:
            yield f"[classes.{name}]: mark {each.mark} is that of [classes.{other}] as well"
    if known is None:
        return
    for label, table in policy.labels.items():
        if label not in known.labels:
            near = difflib.get_close_matches(label, known.labels, 1)
            hint = f"; is {near[0]} meant?" if near else ""
            yield f"{table.name}: bundle {known.bundle} has no label {label}{hint}"
    if policy.contradicted is not None and not known.sni_labels:
        yield f"{policy.contradicted.name}: bundle {known.bundle} knows no server names, so that none is ever contradicted"


def listed(words: Sequence[str]) -> str:
    """Some words of many."""
    shown = ", ".join(words[:MANY])
    return shown if len(words) <= MANY else f"{shown} and {len(words) - MANY:,} more"
