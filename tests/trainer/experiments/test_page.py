from __future__ import annotations

import csv
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from eacf_trainer.experiments import page, plan, run, sections
from eacf_trainer.experiments.data import Flows
from eacf_trainer.experiments.plan import CNN
from eacf_trainer.experiments.results import Results
from eacf_trainer.experiments.settings import FIGURES, Settings
from eacf_trainer.experiments.store import Store

MEASURED = {
    "us": {"encode": [1.0, 2.0, 3.0], "int8, batch 1": [10.0, 20.0, 30.0]},
    "bytes": {"float32": 2_000_000, "int8": 500_000},
    "parameters": 1000,
    "rounds": 3,
    "runtime": "litert",
    "cpu": "a processor",
    "load": 0.5,
}


@pytest.fixture(scope="module")
def written(settings: Settings, flows: Flows, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything but the CNN is run."""
    folder = tmp_path_factory.mktemp("page")
    cells = plan.cells(settings, FIGURES)
    store = Store(folder / "cells", flows.id)
    run.run([cell for cell in cells if cell.model != CNN], flows, store, 0, lambda text: None)
    results = Results(cells, store, flows)
    above = page.head(results, settings, len(cells), [("dataset", "<made up>")])
    page.write(folder, results, settings, FIGURES, MEASURED, above)
    return folder


def test_every_figure_has_its_files(written: Path) -> None:
    for name in FIGURES:
        assert (written / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        ET.parse(written / f"{name}.svg")
        assert (written / f"{name}.csv").stat().st_size
    assert not list(written.glob(".*"))


def test_everything_says_that_it_is_lighter_and_unfinished(written: Path) -> None:
    for name in ("report.md", "index.html"):
        text = (written / name).read_text()
        assert "LIGHTER than the full setting: " in text
        assert "UNFINISHED: " in text
    assert "LIGHTER" in (written / "fig3.svg").read_text()
    with (written / "fig3.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert all(row["setting"].startswith("LIGHTER") for row in rows)
    assert {row["model"] for row in rows} == set(plan.CLASSICAL)
    assert all(0 <= float(row["accuracy"]) <= 1 for row in rows)


def test_the_papers_numbers_stand_beside_ours(written: Path) -> None:
    text = (written / "report.md").read_text()
    for number in ("91.61 %", "around 80 %", "around 82 %", "291 µs", "88.14 %"):
        assert number in text


def test_the_page_needs_nothing_else_and_escapes(written: Path) -> None:
    text = (written / "index.html").read_text()
    assert "&lt;made up&gt;" in text
    assert 'src="http' not in text
    assert text.count("data:image/svg+xml;base64,") == 3  # Fig. 4 and 5 are of the CNN alone, which was not run


def test_a_figure_that_is_not_asked_for_is_not_written(settings: Settings, flows: Flows, tmp_path: Path) -> None:
    results = Results([], Store(tmp_path / "cells", flows.id), flows)
    made = page.write(tmp_path, results, settings, ["time"], None, page.head(results, settings, 0, []))
    assert [each.name for each in made] == ["time"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cells", "index.html", "report.md", "time.csv"]


def test_a_control_is_compared_on_the_seeds_that_it_has(settings: Settings) -> None:
    assert sections.seeds_of(settings, CNN, "grouped") == 1
    assert sections.seeds_of(settings, CNN, "random") == 2
    assert sections.seeds_of(settings, "dt", "grouped") == 2
