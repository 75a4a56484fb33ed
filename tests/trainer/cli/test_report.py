"""``eacf-train report``, with a dataset that was built of a recording."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from eacf.errors import SettingError
from eacf.recording import line
from eacf_trainer.cli import report
from eacf_trainer.dataset import Dataset, Options, Pool, build
from eacf_trainer.predictions import Predictions
from eacf_trainer.testbed import load

HOSTILE = "<script>alert(1)</script>.example"


class Made(NamedTuple):
    run: Path
    dataset: Path


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty made-up samples."""
    folder = tmp_path_factory.mktemp("dataset")
    taken = load.samples(1, 20, payload_bytes=0, chunks=0)
    for sample in taken:
        sample.server_name = HOSTILE
    lines = (line(b"eacf.flows", "zeek-1", "eacf.verdict.zeek.", sample) for sample in taken)
    (folder / "office.jsonl").write_bytes(b"".join(lines))
    build([folder / "office.jsonl"], folder / "office", Options(("records",)), runner=Pool(1))
    return folder / "office"


@pytest.fixture
def run(dataset: Path, tmp_path: Path) -> Callable[[str], Path]:
    """A run folder that says that its dataset is in that folder."""

    def make(folder: str) -> Path:
        path = tmp_path / "run"
        (path / "predictions").mkdir(parents=True)
        opened = Dataset.open(dataset)
        count = opened.rows
        wanted = np.arange(count) % 2
        Predictions(
            ("a", "b"),
            np.arange(count),
            wanted,
            np.tile(np.float32([0.7, 0.3]), (count, 1)),
            np.zeros(count, np.float32),
            np.ones(count, bool),
            np.zeros(count, np.int64),
        ).save(path / "predictions" / "grouped.npz")
        config = {"recipe": {"name": "office"}, "dataset": {"id": opened.id, "rows": count, "folder": folder}}
        (path / "config.json").write_text(json.dumps(config))
        return path

    return make


def called(*arguments: str) -> int:
    """As the command line would."""
    parser = argparse.ArgumentParser()
    report.add(parser.add_subparsers())
    options = parser.parse_args(["report", *arguments])
    code: int = options.run(options)
    return code


def test_server_names_come_from_where_the_dataset_was(
    run: Callable[[str], Path], dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = run(str(dataset))
    assert called(str(folder)) == 0
    out, err = capsys.readouterr()
    assert out == f"{folder / 'report.html'}\n"
    assert err == ""
    html = (folder / "report.html").read_text()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;.example" in html
    assert "<script" not in html


def test_or_from_where_one_says(
    run: Callable[[str], Path], dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = run("/nowhere"), tmp_path / "out.html"
    assert called(str(folder), "--dataset", str(dataset), "--out", str(out)) == 0
    assert "&lt;script&gt;" in out.read_text()
    assert not (folder / "report.html").exists()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("folder", ["/nowhere", ""])
def test_without_a_dataset_there_are_no_server_names(
    run: Callable[[str], Path], folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    made = run(folder)
    assert called(str(made)) == 0
    assert "the dataset is not at hand" in capsys.readouterr().err
    assert "Make the report with --dataset" in (made / "report.html").read_text()


def test_another_dataset_is_refused(run: Callable[[str], Path], dataset: Path) -> None:
    folder = run("/nowhere")
    config = json.loads((folder / "config.json").read_text())
    config["dataset"]["id"] = "000000000000"
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(SettingError, match="was fitted on 000000000000; name the dataset of this run"):
        called(str(folder), "--dataset", str(dataset))


def test_a_folder_is_no_report(run: Callable[[str], Path], tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="is a folder; name a file"):
        called(str(run("")), "--out", str(tmp_path))


def test_no_run_folder(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="no run folder"):
        called(str(tmp_path / "nothing"))
