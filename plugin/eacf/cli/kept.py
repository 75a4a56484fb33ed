"""How models that are kept look: a table on a terminal, aligned lines elsewhere.

What is shown may have come over the bus, so it is read as :mod:`eacf.reports` reads.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from eacf.reports import Report, at, number, text

COLUMNS = ("model", "name", "", "received", "from", "parent", "learnt from", "gate")
STEPS = ("when", "what", "model", "why", "by key")
ROLES = {"serving": "serves", "shadow": "shadow", "before": "before", "setting": "setting"}


def rows(models: Report) -> list[tuple[str, ...]]:
    """A row of COLUMNS for each model kept, newest first."""
    return [
        (
            text(each.get("id")),
            f"{text(each.get('name'))} {text(each.get('version'))}",
            ", ".join(word for key, word in ROLES.items() if each.get("id") and models.get(key) == each.get("id")),
            text(each.get("received")),
            "this machine" if each.get("key") is None else text(each.get("key")),
            text(at(each, "lineage", "parent")),
            _window(at(each, "lineage", "window")),
            _gate(at(each, "lineage", "gate")),
        )
        for each in _entries(models.get("kept"))
    ]


def steps(models: Report) -> list[tuple[str, ...]]:
    """A row of STEPS for each change, newest first."""
    return [
        (
            text(each.get("at")),
            text(each.get("action")),
            text(each.get("model")),
            text(each.get("why")),
            "this machine" if each.get("key") is None else text(each.get("key")),
        )
        for each in _entries(models.get("history"))
    ]


def show(columns: Sequence[str], table: Sequence[tuple[str, ...]]) -> None:
    """Print a table; a line that says so where it is empty."""
    if not table:
        print("nothing yet")
    elif sys.stdout.isatty():
        _rich(columns, table)
    else:
        lines = [tuple(columns), *table]
        widths = [max(len(line[column]) for line in lines) for column in range(len(columns))]
        for line in lines:
            print("  ".join(f"{value:<{width}}" for value, width in zip(line, widths, strict=True)).rstrip())


def _rich(columns: Sequence[str], table: Sequence[tuple[str, ...]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=box.SIMPLE_HEAD)
    for number_, name in enumerate(columns):
        shown.add_column(name, no_wrap=number_ == 0)
    for row in table:
        shown.add_row(*map(Text, row), style="bold" if row[2].startswith(ROLES["serving"]) else "")
    Console().print(shown)


def _entries(value: object) -> list[Report]:
    """The objects in a list; none where it is no list."""
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def _window(window: object) -> str:
    if at(window, "samples") is None:
        return "-"
    return f"{text(at(window, 'samples'))} samples, {text(at(window, 'first'))} to {text(at(window, 'last'))}"


def _gate(gate: object) -> str:
    """Macro-F1 of both, and how likely so great a gain is by chance."""
    mine, parents, p = (number(at(gate, name)) for name in ("macro_f1", "parent_macro_f1", "p"))
    if mine is None:
        return "-"
    said = f"F1 {mine:.3f}"
    said += "" if parents is None else f" (parent {parents:.3f})"
    said += "" if p is None else f", p {p:.2g}"
    return said + ("" if at(gate, "judged") is None else f", {text(at(gate, 'judged'))} samples")
