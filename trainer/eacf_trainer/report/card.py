"""The dataset card: what was learned from, and what was left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from eacf_trainer.report.charts import Table
from eacf_trainer.report.text import NOT_MEASURED, count, day, tls_version


@dataclass(frozen=True)
class Card:
    """What the page says of the data."""

    facts: Sequence[tuple[str, str]]
    labels: Table | None
    refused: Table | None

    @classmethod
    def of(cls, dataset: Mapping[str, Any]) -> Self:
        """From ``dataset.json``; what it does not tell is left out."""
        labels, refused = dataset.get("labels") or {}, dataset.get("refused") or {}
        facts = [
            ("connections", count(dataset["connections"]) if "connections" in dataset else None),
            ("cuts of them", _counted(dataset.get("cuts") or {}, str)),
            ("captures", count(dataset["captures"]) if "captures" in dataset else None),
            (
                "captures, copies merged",
                count(dataset["captures_without_copies"]) if "captures_without_copies" in dataset else None,
            ),
            ("environments", count(dataset["environments"]) if "environments" in dataset else None),
            ("clients", count(dataset["clients"]) if "clients" in dataset else None),
            ("period", period(dataset.get("first_ns"), dataset.get("last_ns"))),
            ("TLS versions", _counted(dataset.get("tls_versions") or {}, tls_version)),
            ("labels", f"{count(len(labels))} learned, {count(len(refused))} refused" if labels or refused else None),
            ("without a label", count(dataset["unlabelled"]) if "unlabelled" in dataset else None),
        ]
        return cls(
            [(name, value) for name, value in facts if value],
            Table(
                ("label", "kind", "flows", "captures", "clients", "first", "last"),
                [_row(name, label) for name, label in sorted(labels.items())],
                words=2,
            )
            if labels
            else None,
            Table(("label", "why it was refused"), sorted((name, str(why)) for name, why in refused.items()), words=2)
            if refused
            else None,
        )


def period(first_ns: int | None, last_ns: int | None) -> str | None:
    """ "2019-03-01 to 2023-06-24"; None where it is not known."""
    if first_ns is None or last_ns is None:
        return None
    first, last = day(first_ns), day(last_ns)
    return first if first == last else f"{first} to {last}"


def _counted(counts: Mapping[str, int], name: Any) -> str | None:
    parts = sorted(counts.items(), key=lambda part: (-part[1], part[0]))
    return ", ".join(f"{name(key)}: {count(flows)}" for key, flows in parts) or None


def _row(name: str, label: Mapping[str, Any]) -> tuple[str, ...]:
    numbers = (count(label.get(key)) for key in ("flows", "captures", "clients"))
    days = (day(label.get(key)) for key in ("first_ns", "last_ns"))
    return (name, str(label.get("kind", NOT_MEASURED)), *numbers, *days)
