"""One picture: lines that fit a terminal of some width and height.

Everything that came over the bus has gone through :func:`eacf.reports.text`, and stands in a rich Text, never in markup; so it can
neither steer the terminal nor colour it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from eacf.status import KINDS, Party
from eacf.top.figures import (
    BAD,
    COLUMNS,
    LABEL_COLUMNS,
    TITLES,
    WORRY,
    Cell,
    Column,
    cells,
    label_cells,
    labels,
    rate,
    shown_name,
)
from eacf.top.remarks import remarks
from eacf.top.watch import Watch

MIN_WIDTH = 40
HEAD_LINES = 2
OTHERS = ""
"""All kinds that this release does not know, in one table."""
MAX_REMARKS = 6
MIN_LABELS = 4
"""Rows of labels that parties make room for."""
PLAIN_LABELS = 20
"""Labels where the height has no bound."""
HEADING = "bold reverse"
DIM = "dim"
COUNTED = {
    "worker": ("worker", "workers"),
    "zeek": ("Zeek process", "Zeek processes"),
    "enforce": ("agent", "agents"),
    "relay": ("relay", "relays"),
}


@dataclass(frozen=True, slots=True)
class Head:
    """What the first lines say beside the counts."""

    clock: str
    where: str
    """The bus."""
    every_s: float
    absence: str | None = None
    """Why there is no bus; None: there is one."""
    keys: bool = True
    """Whether a key ends it."""


def frame(watch: Watch, head: Head, now: float, width: int, height: int | None) -> list[Text]:
    """All lines, none wider than `width`, and no more than `height` of them; None: as many as there are."""
    width = max(width, MIN_WIDTH)
    rows, flows = labels(watch)
    notes = _notes(watch, now, width, height)
    parties = {kind: found for kind in (*KINDS, OTHERS) if (found := of_kind(watch, kind))}
    wanted = [len(found) for found in parties.values()]
    most, gap = None, [Text()]
    if height is not None:
        room = height - HEAD_LINES - len(notes) - 2 * len(wanted) - (2 + min(MIN_LABELS, len(rows)) if rows else 0)
        if sum(wanted) > room:
            gap, room = [], room + len(wanted)
        most = _most(wanted, room)
    lines = [*_head(watch, head, width)]
    for kind, found in parties.items():
        lines += [*gap, *_table(watch, kind, found, now, width, most)]
    lines += notes
    room = PLAIN_LABELS if height is None else height - len(lines) - len(gap) - 1
    if rows and room > 0:
        lines += [*gap, _heading("labels", LABEL_COLUMNS, width)]
        lines += [_row(label_cells(row, flows), LABEL_COLUMNS, width) for row in rows[:room]]
    return lines if height is None else lines[:height]


def of_kind(watch: Watch, kind: str) -> list[Party]:
    """Parties of a kind; of :data:`OTHERS`: of any that this release does not know."""
    if kind != OTHERS:
        return watch.parties(kind)
    return sorted((party for party in watch.sights if party.kind not in KINDS), key=Party.order)


def _head(watch: Watch, head: Head, width: int) -> Iterator[Text]:
    ends = ", q ends" if head.keys else ""
    yield _line(
        [("eacf top", "bold"), (f"  {head.clock}  every {head.every_s:g} s{ends}  bus {head.where}", DIM)], width
    )
    if head.absence is not None:
        yield _line([(head.absence, BAD)], width)
        return
    counts = {kind: len(watch.parties(kind)) for kind in KINDS}
    who = [f"{many} {COUNTED[kind][many != 1]}" for kind, many in counts.items() if many or kind in ("worker", "zeek")]
    flows = {kind: _sum(watch, kind, "flows") for kind in ("zeek", "worker")}
    said = f"; {rate(flows['zeek'])} flows/s, {rate(flows['worker'])} at workers"
    more = f"; {watch.passed_over:,} more are not followed" if watch.passed_over else ""
    yield _line([(", ".join(who) + said + more, "")], width)


def _sum(watch: Watch, kind: str, name: str) -> float | None:
    rates = [sight.rate(name) for party, sight in watch.sights.items() if party.kind == kind]
    known = [each for each in rates if each is not None]
    return sum(known) if known else None


def _notes(watch: Watch, now: float, width: int, height: int | None) -> list[Text]:
    """Remarks, with an empty line before them."""
    told = list(remarks(watch, now))
    kept = told if height is None else told[:MAX_REMARKS]
    lines = [_line([("! " + each.said, each.style)], width) for each in kept]
    if len(told) > len(kept):
        lines.append(_line([(f"! and {len(told) - len(kept):,} remarks more", WORRY)], width))
    return [Text(), *lines] if lines else []


def _most(wanted: Sequence[int], room: int) -> int:
    """The most rows that each table may have, so that all have room; 1 at least."""
    most = 1
    while most < max(wanted, default=0) and sum(min(each, most + 1) for each in wanted) <= room:
        most += 1
    return most


def _table(
    watch: Watch, kind: str, parties: Sequence[Party], now: float, width: int, most: int | None
) -> Iterator[Text]:
    """A heading, and a line for each party; where there are more than `most`, the last line counts the rest."""
    columns = COLUMNS[kind]
    yield _heading(TITLES[kind], columns, width)
    shown = parties if most is None or len(parties) <= most else parties[: most - 1]
    for party in shown:
        sight = watch.sights.get(party)
        name = shown_name(party, sight)
        if sight is None or watch.silent_s(party, now) is not None:
            yield _line([(_fit(name, columns[0]), BAD), (" does not answer", BAD)], width)
            continue
        _, *rest = cells(party, sight)
        yield _row([Cell(name), *rest], columns, width)
    if len(shown) < len(parties):
        yield _line([(f"and {len(parties) - len(shown):,} more", DIM)], width)


def _heading(title: str, columns: Sequence[Column], width: int) -> Text:
    first, *rest = columns
    said = "".join(_fit(each.title, each) for each in rest if width >= each.from_width)
    return _line([(set_cell_size(_fit(title, first) + said, width), HEADING)], width)


def _row(row: Sequence[Cell], columns: Sequence[Column], width: int) -> Text:
    shown = [(cell, column) for cell, column in zip(row, columns, strict=True) if width >= column.from_width]
    return _line([(_fit(cell.said, column), cell.style) for cell, column in shown], width)


def _fit(said: str, column: Column) -> str:
    """As wide as the column; what is too long ends with a plus."""
    room = column.width if column.is_text else column.width - 1
    if cell_len(said) > room:
        said = set_cell_size(said, room - 1) + "+"
    return set_cell_size(said, column.width) if column.is_text else " " * (column.width - cell_len(said)) + said


def _line(parts: Sequence[tuple[str, str]], width: int) -> Text:
    line = Text(no_wrap=True, overflow="crop")
    left = width
    for said, style in parts:
        fits = said if cell_len(said) <= left else set_cell_size(said, left)
        line.append(fits, style=style)
        left -= cell_len(fits)
    return line
