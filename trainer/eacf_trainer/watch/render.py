"""The log as pages for people: ``report.html``, and ``pages/TURN.html`` for one update each. The look is that of a run's report.

Drawn in a process of its own (``python -m eacf_trainer.watch.render HOME``), since charts need more memory than a watcher shall have.
"""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eacf.errors import EacfError
from eacf.files import replace
from eacf_trainer.watch.decisions import read
from eacf_trainer.watch.home import LOG

if TYPE_CHECKING:
    from jinja2 import Environment

    from eacf_trainer.report.charts.chart import Chart, Table

SHOWN = 200
"""Updates on the first page, the newest; each has a page as long as it is among them."""
TIME_S = 120.0
FIGURES = {
    "macro_f1": "macro-F1",
    "accuracy": "right",
    "abstained": "known flows unanswered",
    "accuracy_said": "right of the answered",
    "said_right": "answered rightly",
    "said_wrong": "answered wrongly",
    "calibration_error": "calibration error",
    "unknown_said": "flows of no label answered",
    "golden": "golden samples right",
}
_log = logging.getLogger("eacf.watch")
Line = Mapping[str, Any]


@dataclass(frozen=True)
class Section:
    """Part of a page."""

    title: str
    table: Table | None = None
    links: Sequence[str] = ()
    """Of each row of the table."""
    pairs: Sequence[tuple[str, str]] = ()
    note: str = ""


@dataclass(frozen=True)
class Page:
    """All of it."""

    title: str
    headline: str
    sections: Sequence[Section]
    why: Sequence[str] = ()
    chart: Chart | None = None
    up: bool = False
    """It lies in ``pages``."""


def draw(home: Path) -> None:
    """Have the pages written; what goes wrong is a line in the log, and no reason to stop."""
    command = [sys.executable, "-m", "eacf_trainer.watch.render", str(home)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=TIME_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        _log.warning("report.html was not written: %s", error)
        return
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        _log.warning("report.html was not written: %s", said[-1] if said else f"code {done.returncode}")


def write(home: Path) -> Path:
    """Write all pages, each whole or not at all; where the first one is."""
    lines = list(read(home / LOG))
    updates = [line for line in lines if line.get("kind") == "update"][-SHOWN:]
    pages = home / "pages"
    pages.mkdir(exist_ok=True, mode=0o700)
    environment = _environment()
    for number, line in enumerate(updates):
        path = pages / f"{int(line['turn'])}.html"
        if not path.exists() or number == len(updates) - 1:
            replace(path, _text(environment, update_page(line)), 0o600)
    kept = {f"{int(line['turn'])}.html" for line in updates}
    for path in pages.glob("*.html"):
        if path.name not in kept:
            path.unlink(missing_ok=True)
    out = home / "report.html"
    replace(out, _text(environment, first_page(lines, updates)), 0o600)
    return out


def first_page(lines: Sequence[Line], updates: Sequence[Line]) -> Page:
    """What was decided, newest first."""
    from eacf_trainer.report.charts.chart import Table
    from eacf_trainer.report.text import plural

    begun = [line for line in lines if line.get("kind") == "begin"]
    pushes = [line for line in lines if line.get("kind") == "push"]
    accepted = [line for line in lines if line.get("kind") == "update" and line.get("outcome") == "accepted"]
    serving = str((accepted or begun or [{"bundle": "none"}])[-1]["bundle"])
    rows = [_row(line) for line in reversed(updates)]
    sections = [
        Section(
            "Updates",
            Table(("update", "when", "why", "outcome", "bundle", "macro-F1 before", "after", "p"), rows, words=5),
            links=[f"pages/{int(line['turn'])}.html" for line in reversed(updates)],
        )
        if rows
        else Section("Updates", note="None yet.")
    ]
    if pushes:
        told = [
            (
                str(line["at"]),
                str(line["bundle"]),
                str(line.get("serial") or ""),
                ", ".join(f"{worker} {' '.join(said).strip()}" for worker, said in (line["workers"] or {}).items())
                or str(line.get("file") or "stays here"),
            )
            for line in reversed(pushes[-SHOWN:])
        ]
        sections.append(Section("Deliveries", Table(("when", "bundle", "serial", "workers"), told, words=4)))
    headline = f"{plural(len(accepted), 'update')} accepted; {serving} serves."
    return Page("The learning loop", headline, sections, chart=_chart(updates))


def update_page(line: Line) -> Page:
    """All that is known of one."""
    from eacf_trainer.report.charts.chart import Table
    from eacf_trainer.report.text import NOT_MEASURED, count, flat, number, percent

    sections: list[Section] = []
    judgement = line.get("judgement")
    if judgement:
        checks = [
            (str(each["name"]), "passed" if each["passed"] else "failed", str(each["text"]))
            for each in judgement["checks"]
        ]
        sections.append(Section("The gate", Table(("check", "outcome", "found, and allowed"), checks, words=3)))
        before, after = judgement["serving"], judgement["candidate"]
        figures = [
            (name, percent(before.get(key)), percent(after.get(key)))
            for key, name in FIGURES.items()
            if key in before or key in after
        ]
        for key, name in (("us_per_flow", "microseconds a flow"), ("size_kb", "KB")):
            if key in before:
                figures.append((name, number(before[key]), number(after[key])))
        low, high = judgement["gain"]
        note = (
            f"{count(judgement['judged'])} samples of labels and {count(judgement['unknown'])} of none, of "
            f"{count(judgement['clients'])} clients, judged; {judgement['drawn']} were drawn again. Gain in macro-F1: "
            f"{100 * low:.1f} to {100 * high:.1f} points with 95 % probability."
        )
        sections.append(Section("Side by side", Table(("figure", "serving", "candidate"), figures), note=note))
        labels = [
            (name, count(told["flows"]), percent(told["serving"]), percent(told["candidate"]))
            for name, told in sorted(judgement["labels"].items())
        ]
        sections.append(Section("F1 of each label", Table(("label", "judged", "serving", "candidate"), labels)))
    rest = {
        key: line[key]
        for key in ("samples", "candidate", "lineage", "alarms", "seconds", "wall_seconds")
        if line.get(key) is not None
    }
    sections.append(Section("How it was made", pairs=list(flat(rest))))
    name = str(line.get("bundle") or NOT_MEASURED)
    headline = (
        f"{str(line['outcome']).capitalize()} at {line['at']}, tried for {line['reason']}. "
        f"Candidate {name}, made of {line.get('parent', NOT_MEASURED)}."
    )
    return Page(f"Update {line['turn']}", headline, sections, why=[str(each) for each in line.get("why", ())], up=True)


def _row(line: Line) -> tuple[str, ...]:
    from eacf_trainer.report.text import percent

    judgement = line.get("judgement") or {}
    return (
        str(line["turn"]),
        str(line["at"]),
        str(line["reason"]),
        str(line["outcome"]),
        str(line.get("bundle") or ""),
        percent(judgement.get("serving", {}).get("macro_f1")),
        percent(judgement.get("candidate", {}).get("macro_f1")),
        f"{judgement['p']:.3f}" if judgement else "",
    )


def _chart(updates: Sequence[Line]) -> Chart | None:
    """Macro-F1 of both models at each update that was judged."""
    from eacf_trainer.report.charts.chart import Chart, Table, legend
    from eacf_trainer.report.svg import FIRST, SECOND, drawing, inline
    from eacf_trainer.report.text import percent

    told = [
        (int(line["turn"]), line["judgement"]["serving"]["macro_f1"], line["judgement"]["candidate"]["macro_f1"])
        for line in updates
        if line.get("judgement")
    ]
    points = [(turn, before, after) for turn, before, after in told if before is not None and after is not None]
    if len(points) < 2:
        return None
    title = "Macro-F1 on samples that neither model had learnt from"
    says = (
        f"At the last of {len(points)} updates: serving {percent(points[-1][1])}, candidate {percent(points[-1][2])}."
    )
    with drawing(260, 700) as (figure, axes):
        turns = [turn for turn, _, _ in points]
        axes.plot(turns, [100 * before for _, before, _ in points], "--o", color=SECOND, label="serving")
        axes.plot(turns, [100 * after for _, _, after in points], "-o", color=FIRST, label="candidate")
        axes.set_xlabel("update")
        axes.grid(axis="y")
        legend(axes, 2)
        svg = inline(figure, "macro", title, says)
    rows = [(str(turn), percent(before), percent(after)) for turn, before, after in points]
    return Chart("macro", title, says, svg, Table(("update", "serving", "candidate"), rows, words=0))


def _environment() -> Environment:
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    from eacf_trainer.report import final

    return Environment(
        loader=ChoiceLoader([PackageLoader("eacf_trainer.watch"), PackageLoader("eacf_trainer.report")]),
        autoescape=True,
        finalize=final,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _text(environment: Environment, page: Page) -> bytes:
    return environment.get_template("watch.html.j2").render(page=page).encode()


def main(home: Path) -> int:
    """Write them; 1 where that cannot be."""
    try:
        write(home)
    except (EacfError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
