"""How a replay's result looks: a table on a terminal, aligned lines elsewhere, and the line that sums it up."""

from __future__ import annotations

from ipaddress import IPv6Address

from eacf.flow import Address, address_text
from eacf.logs import tsv_string
from eacf.replay import Counts
from eacf.verdict import Info

ROWS = 200
"""Rows that a table shows at most; the rest is told in one line, and is in eacf.log."""

WIDE = 100
"""Columns of a terminal from which on the table has room for the originator, too."""

COLUMNS = ("originator", "responder", "label", "confidence", "server name", "why no label")
WIDTHS = (21, 21, 16, 10, 32, 12)
"""Of the columns in plain text; a longer value pushes the rest of its line to the right."""


def cells(info: Info) -> tuple[str, ...]:
    """What a row shows; "-" for what is not there. Names are escaped as in eacf.log, so none can steer a terminal."""
    confidence = "-" if info.confidence is None else f"{info.confidence:.2f}"
    return (
        _end(info.orig_h, info.orig_p),
        _end(info.resp_h, info.resp_p),
        _text(info.label),
        confidence,
        _text(info.server_name),
        _text(info.reason),
    )


def summary(counts: Counts) -> str:
    """One line: what came of the flows."""
    if counts.accuracy is None:
        accuracy = "unknown (no labelled flow has a server name that the bundle knows)"
    else:
        known = f"{counts.right:,} of {counts.named:,} labelled flows whose server name the bundle knows"
        accuracy = f"{counts.accuracy:.1%} ({known})"
    return (
        f"{counts.flows:,} flows, {counts.verdicts:,} verdicts ({counts.labelled:,} labelled, {counts.abstained:,}"
        f" abstained, {counts.refused:,} refused), {counts.timed_out:,} timed out, {counts.dropped:,} dropped;"
        f" accuracy against SNI: {accuracy}"
    )


class Lines:
    """Aligned text, a connection a line as it comes, with a heading above the first."""

    def __init__(self) -> None:
        self._begun = False

    def add(self, info: Info) -> None:
        """Print a connection."""
        if not self._begun:
            self._begun = True
            print(_plain(COLUMNS))
        print(_plain(cells(info)), flush=True)  # whoever reads along sees a line when it is known


class Table:
    """The first :data:`ROWS` connections, shown in the order of their starts once all are known."""

    def __init__(self) -> None:
        self._infos: list[Info] = []
        self._more = 0

    def add(self, info: Info) -> None:
        """Take a row, or count it where the table is full."""
        if len(self._infos) < ROWS:
            self._infos.append(info)
        else:
            self._more += 1

    def show(self) -> None:
        """Print it on the terminal; nothing where there is no row."""
        if not self._infos:
            return
        from rich import box
        from rich.console import Console
        from rich.table import Table as RichTable
        from rich.text import Text

        console = Console()
        ends = ("originator", "responder") if console.width >= WIDE else ("responder",)
        table = RichTable(box=box.SIMPLE_HEAD)
        for name in (*ends, "label"):
            table.add_column(name, no_wrap=True)
        table.add_column("conf.", justify="right", no_wrap=True)
        table.add_column("server name", overflow="ellipsis")  # the one to give way; a name has no place to wrap at
        for info in sorted(self._infos, key=lambda each: each.ts_ns):
            orig, resp, label, confidence, server_name, reason = cells(info)
            row = (*(orig, resp)[-len(ends) :], label if info.label else f"({reason})", confidence, server_name)
            table.add_row(*map(Text, row), style="" if info.label else "dim")
        console.print(table)
        if self._more:
            print(f"and {self._more:,} more; --log-dir or --json gives all of them")


def _plain(values: tuple[str, ...]) -> str:
    return "  ".join(f"{value:<{width}}" for value, width in zip(values, WIDTHS, strict=True)).rstrip()


def _end(host: Address, port: int) -> str:
    text = address_text(host)
    return f"[{text}]:{port}" if isinstance(host, IPv6Address) and ":" in text else f"{text}:{port}"


def _text(value: str | None) -> str:
    return "-" if value is None else tsv_string(value)
