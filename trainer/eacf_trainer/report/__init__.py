"""``report.html``: a run folder as one page that opens anywhere. docs/report.md says how to read it.

Reading order: `folder` (what a run holds), `page` (what is said of it), `charts` and `svg` (pictures), ``templates`` (how it looks).
No script, no other file, no network: a policy in the page forbids them.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from eacf_trainer.figures.parts import Rows
from eacf_trainer.report.folder import ReportError, Run, config, read
from eacf_trainer.report.page import page
from eacf_trainer.report.text import shown

__all__ = ["ReportError", "Run", "config", "read", "render", "write"]

NAME = "report.html"


def write(folder: Path, out: Path | None = None, dataset: Rows | None = None) -> Path:
    """Write the report of a run folder to `out` (default: ``report.html`` in it), whole or not at all; returns where it is."""
    path = out or folder / NAME
    text = render(read(folder, dataset))
    beside = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
        with beside.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    return path


def render(run: Run) -> str:
    """The page. The same run gives the same text."""
    environment = Environment(
        loader=PackageLoader(__name__),
        autoescape=True,
        finalize=final,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(page=page(run))


def final(value: object) -> object:
    """Whatever a template prints; texts of the network with nothing hidden in them."""
    if value is None:
        return ""
    return shown(value) if isinstance(value, str) and not isinstance(value, Markup) else value
