"""The page as a whole: it stands alone, nothing hostile gets through, and what a run lacks is said."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eacf.errors import EacfError, SettingError
from eacf_trainer import report
from eacf_trainer.predictions import Predictions
from eacf_trainer.report import ReportError, Run

VOID = {"meta", "br", "input", "link", "img", "hr"}
ELEMENTS = """
a body br caption clippath code dd defs desc details div dl dt fieldset figure footer g h1 h2 h3 head header html input label
legend li line main meta nav p path rect section small span strong style summary svg table tbody td text th thead title tr ul use
"""
"""Of the page. Whatever else were there came out of a name."""


class Page(HTMLParser):
    """Elements with their attributes and the text of the page; it fails on an element that is not closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def attributes(self, name: str) -> list[str]:
        return [value for _, each in self.elements if (value := each.get(name)) is not None]


@pytest.fixture(scope="session")
def page(html: str) -> Page:
    """The report of the whole run, parsed."""
    return Page(html)


def test_it_stands_alone(html: str, page: Page) -> None:
    """No script, no other file, no address; and a policy that would forbid them."""
    assert {tag for tag, _ in page.elements} <= set(ELEMENTS.split())
    assert page.attributes("src") == []
    assert all(link.startswith("#") for link in page.attributes("href"))
    assert re.findall(r"url\((?!#)", html) == []
    assert "http://" not in html
    assert "https://" not in html
    assert "@import" not in html
    assert any("default-src 'none'" in policy for policy in page.attributes("content"))


def test_hostile_names_are_text(html: str, page: Page) -> None:
    """A server name and a label that would be elements, and one that would turn the line around."""
    assert not [name for _, each in page.elements for name in each if name.startswith("on")]
    assert "<script>alert(1)</script>.example" in page.text
    assert '"><img src=x onerror=alert(2)>' in page.text
    assert "$x_{$ \\frac" in page.text
    assert "\u202e" not in html
    assert "evil\\u202egpj.example" in page.text


def test_ids_are_unique_and_what_refers_to_them_finds_them(html: str, page: Page) -> None:
    ids = page.attributes("id")
    assert [name for name, times in Counter(ids).items() if times > 1] == []
    referred = {link[1:] for link in page.attributes("href")} | set(re.findall(r"url\(#([^)]+)\)", html))
    referred |= {name for each in page.attributes("aria-labelledby") for name in each.split()}
    referred |= set(page.attributes("for"))
    assert referred <= set(ids)


def test_every_part_is_there(page: Page) -> None:
    """Nothing is said to be missing, and each chart has its words and its numbers."""
    assert [each for _, each in page.elements if each.get("class") == "absent"] == []
    charts = [each for tag, each in page.elements if tag == "svg" and each["class"] == "chart"]
    assert len(charts) == 10
    assert all(each["role"] == "img" and each["aria-labelledby"] for each in charts)
    assert sum(tag == "desc" for tag, _ in page.elements) == len(charts)
    assert sum(tag == "details" for tag, _ in page.elements) == len(charts) + 1
    for words in (
        "near copies",
        "TLS 1.3",
        "12 flows, fewer than 30",
        "± ",
        "f4355264fef2",
        "DecisionTreeClassifier",
        "training.decay",
    ):
        assert words in page.text


def test_twenty_worst_flows_at_most_with_their_records(page: Page) -> None:
    rows = [each for tag, each in page.elements if tag == "svg" and each["class"] == "records"]
    assert 5 < len(rows) <= 20
    assert all(re.fullmatch(r"([+−]\d+ ?)+", each["aria-label"] or "") for each in rows)


def test_the_same_run_gives_the_same_bytes(made: Any, html: str, tmp_path: Path) -> None:
    path = report.write(made.folder, tmp_path / "again.html", made.rows)
    assert path.read_bytes() == html.encode()
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_but_a_config(without: Callable[..., Run]) -> None:
    """Each part says that it is not there."""
    page = Page(report.render(without(only=["config.json"])))
    absent = sum(each.get("class") == "absent" for _, each in page.elements)
    assert absent >= 14
    assert "No split of this run has been judged yet" in page.text
    assert not any(tag == "svg" for tag, _ in page.elements)


@pytest.mark.parametrize(
    "told",
    [
        {
            "predictions/random.npz": "Only one split was run",
            "history.json": "There are no learning curves",
            "dataset.json": "The run has no dataset card",
            "splits.json": "Judged on captures",
        },
        {
            "predictions/grouped.npz": "Only a random split was run",
            "predictions/unknown.npz": "This run held no label out",
            "figures.json": "This run had one seed",
            "versions.json": "The run does not tell its versions",
        },
    ],
)
def test_parts_are_missing(without: Callable[..., Run], told: dict[str, str]) -> None:
    page = Page(report.render(without(left_out=list(told))))
    assert [words for words in told.values() if words not in page.text] == []
    assert "server names and records are not shown" in page.text


def test_figures_without_predictions(made: Any, tmp_path: Path) -> None:
    """A run whose predictions were thrown away still shows what figures.json tells."""
    whole = report.read(made.folder, made.rows)
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "figures.json").write_text(json.dumps({**whole.protocols, "openset": whole.openset}))
    run = report.read(tmp_path)
    assert run.protocols == whole.protocols
    assert run.openset == whole.openset
    assert run.name == tmp_path.name


def test_twenty_labels_stay_small(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    count, labels = 3000, 20
    probabilities = rng.random((count, labels)) ** 4
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    (tmp_path / "predictions").mkdir()
    predictions = Predictions(
        tuple(f"label-{number}.some-domain.example" for number in range(labels)),
        np.arange(count),
        rng.integers(0, labels, count),
        probabilities.astype(np.float32),
        rng.random(count).astype(np.float32),
        rng.random(count) < 0.5,
        rng.integers(0, 5, count),
    )
    for name in ("grouped", "random", "environment", "time"):
        predictions.save(tmp_path / "predictions" / f"{name}.npz")
    (tmp_path / "config.json").write_text("{}")
    assert report.write(tmp_path).stat().st_size < 500_000


def test_no_run_folder(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"no run folder .*config\.json"):
        report.write(tmp_path)


@pytest.mark.parametrize("text", ["{", "[1]", '"\ud800"'])
def test_a_damaged_file_is_named(made: Any, tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "figures.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(ReportError, match=r"figures\.json: .*fit again"):
        report.read(tmp_path)


def test_damaged_predictions_are_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "predictions").mkdir()
    (tmp_path / "predictions" / "grouped.npz").write_bytes(b"PK\x03\x04 no more")
    with pytest.raises(EacfError, match=r"grouped\.npz"):
        report.read(tmp_path)


def test_another_dataset_is_noticed(made: Any) -> None:
    class Short:
        def table(self, columns: Any) -> Any:
            return made.rows.table(columns).slice(0, 10)

    with pytest.raises(ReportError, match="the dataset has 10; name the dataset of this run"):
        report.read(made.folder, Short())


def test_a_report_that_cannot_be_written_leaves_nothing(made: Any, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(OSError, match="there"):
        report.write(made.folder, tmp_path / "there")
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_contrast(mode: str) -> None:
    """WCAG 2.1: 4.5 for text (1.4.3), 3 for what a chart is drawn in (1.4.11)."""
    style = resources.files(report).joinpath("templates/style.css.j2").read_text()
    block = re.search(rf"macro {mode}\(\) %}}(.*?){{% endmacro", style, re.DOTALL)
    assert block is not None
    told = dict(re.findall(r"--([\w-]+): ([^;]+);", block[1]))
    colours = {name: _rgb(value) for name, value in told.items() if value.startswith("#")}
    for text in ("ink", "soft", "link"):
        for ground in ("ground", "panel"):
            assert _contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
    for series in ("c0", "c1", "c2", "c3", "c4"):
        assert _contrast(colours[series], colours["ground"]) >= 3, series
    for heat in ("right", "wrong"):
        for share in (0.0, 0.5, 1.0):
            depth = share * float(told["deepest"])
            over = np.array([int(part) for part in told[heat].split(",")]) / 255
            mixed = depth * over + (1 - depth) * colours["ground"]
            assert _contrast(colours["on-heat"], mixed) >= 4.5, (heat, share)


def _rgb(colour: str) -> np.ndarray:
    return np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255


def _contrast(one: np.ndarray, other: np.ndarray) -> float:
    """Relative luminance and contrast ratio of WCAG 2.1."""
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: np.ndarray) -> float:
    linear = np.where(colour <= 0.03928, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))
