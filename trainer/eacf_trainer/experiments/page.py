"""Sections to files: CSV, plots, report.md, and index.html, which holds all it needs. Every one says if the setting was a lighter one."""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eacf_trainer.experiments import plots, sections
from eacf_trainer.experiments.data import Flows
from eacf_trainer.experiments.results import Results
from eacf_trainer.experiments.sections import Section, Table
from eacf_trainer.experiments.settings import Settings

TEMPLATE = Path(__file__).with_name("page.html.j2")
TITLE = "The paper's experiments"


@dataclass(frozen=True)
class Head:
    """What stands above everything."""

    setting: str
    """FULL, or in which way it is lighter."""
    state: str
    """How much of it is finished; empty: all."""
    facts: list[tuple[str, str]]
    """What was run on what."""

    @property
    def footer(self) -> str:
        """For the plots; empty where there is nothing to warn of."""
        return "; ".join(part for part in (self.setting if self.setting != FULL else "", self.state) if part)


FULL, LIGHTER = "full setting", "LIGHTER than the full setting"
FIGURES: dict[str, tuple[Callable[[Results, Settings], Section], Callable[[Results, Settings], Any]]] = {
    "fig3": (sections.fig3, plots.fig3),
    "fig4": (sections.fig4, plots.fig4),
    "fig5": (sections.fig5, plots.fig5),
    "controls": (sections.controls, plots.controls),
}


def head(results: Results, settings: Settings, cells: int, facts: Sequence[tuple[str, str]]) -> Head:
    """`cells`: how many the figures consist of; `facts`: those that flows and settings do not tell."""
    lighter = settings.lighter()
    finished = results.finished
    return Head(
        setting=f"{LIGHTER}: {lighter}" if lighter else FULL,
        state="" if finished == cells else f"UNFINISHED: {finished:,} of {cells:,} cells",
        facts=[*facts, *_facts(results.flows, settings)],
    )


def write(
    folder: Path,
    results: Results,
    settings: Settings,
    only: Sequence[str],
    measured: dict[str, Any] | None,
    above: Head,
) -> list[Section]:
    """Write everything for the figures in `only` into `folder`; the sections written."""
    made = []
    for name, (section, plot) in FIGURES.items():
        if name in only:
            made.append(section(results, settings))
            plots.save(plot(results, settings), folder / name, above.footer)
    if "time" in only:
        made.append(sections.time(measured, settings))
        if measured is not None:
            plots.save(plots.time(measured), folder / "time", "")
    for each in made:
        _replace(folder / f"{each.name}.csv", _csv(each, above))
    _replace(folder / "report.md", markdown(made, above))
    _replace(folder / "index.html", html(made, above, folder))
    return made


def markdown(made: Sequence[Section], above: Head) -> str:
    """The whole report."""
    lines = [f"# {TITLE}", "", f"**{above.setting}**", ""]
    lines += [f"**{above.state}**", ""] if above.state else []
    lines += [f"- {name}: {value}" for name, value in above.facts]
    for section in made:
        lines += ["", f"## {section.title}", "", "The paper's text:", "", *(f"- {each}" for each in section.says), ""]
        if section.records:
            lines += [f"![{section.title}]({section.name}.svg)", ""]
        for table in section.tables:
            lines += [f"**{table.caption}**", "", *markdown_table(table), ""]
        lines += [f"- {note}" for note in section.notes]
    return "\n".join(lines).rstrip() + "\n"


def markdown_table(table: Table) -> list[str]:
    """Its lines; a bar within a value would begin a cell."""
    rows = [table.head, ("---",) * len(table.head), *table.rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]


def html(made: Sequence[Section], above: Head, folder: Path) -> str:
    """One file that opens anywhere; plots are inside."""
    from jinja2 import Environment, StrictUndefined

    images = {
        section.name: base64.b64encode((folder / f"{section.name}.svg").read_bytes()).decode()
        for section in made
        if section.records
    }
    template = Environment(autoescape=True, undefined=StrictUndefined).from_string(TEMPLATE.read_text())
    return template.render(title=TITLE, head=above, sections=made, images=images)


def _facts(flows: Flows, settings: Settings) -> list[tuple[str, str]]:
    short = sum(len(sample.payload) < settings.main for sample in flows.samples) / len(flows.samples)
    counts = {label: int((flows.wanted == number).sum()) for number, label in enumerate(flows.labels)}
    return [
        (
            "flows",
            f"{len(flows.samples):,} in {len(set(flows.groups.tolist())):,} captures (copies merged), id {flows.id}",
        ),
        ("labels", ", ".join(f"{label} ({count:,})" for label, count in counts.items())),
        ("drawn", f"at most {settings.flows_per_label} flows a label, at random"),
        (
            "payload",
            f"{short:.1%} of the flows have less than {settings.main:,} payload bytes; the rest of their rows is padding",
        ),
        (
            "left out",
            f"labels with fewer than {settings.min_flows} flows or {settings.min_captures} captures: "
            + (", ".join(f"{label} ({reason})" for label, reason in flows.left_out.items()) or "none"),
        ),
        (
            "splits",
            f"random: 8:1:1 by flow, {settings.seeds} seeds. Grouped: by capture, {settings.folds} folds judged together, "
            f"{settings.seeds} seeds ({settings.grouped_seeds} of the CNN away from Fig. 4)",
        ),
        (
            "1D-CNN",
            f"{settings.epochs} epochs, batch {settings.batch}, Adam {settings.learning_rate:g}, the last epoch's weights",
        ),
        ("shown", "mean ± standard deviation over seeds; – is not run (yet)"),
    ]


def _csv(section: Section, above: Head) -> str:
    text = io.StringIO()
    names = list(dict.fromkeys(name for line in section.records for name in line))
    writer = csv.DictWriter(text, [*names, "setting"], restval="", lineterminator="\n")
    writer.writeheader()
    setting = above.setting if section.name != "time" else FULL
    writer.writerows({**line, "setting": setting} for line in section.records)
    return text.getvalue()


def _replace(path: Path, text: str) -> None:
    beside = path.with_name(f".{path.name}")
    beside.write_text(text)
    beside.replace(path)
