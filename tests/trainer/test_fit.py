"""Runs: what they leave, that they can be made again to the byte, and that they go on after whatever ended them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eacf import inference
from eacf.errors import SettingError
from eacf.labels import LabelRules
from eacf_trainer import calibrate, cells, fit, runs
from eacf_trainer.crew import Crew
from eacf_trainer.dataset import Dataset
from eacf_trainer.fit import Asked
from eacf_trainer.flows import Flows, FlowsError
from eacf_trainer.predictions import Predictions
from eacf_trainer.recipe import Labels, Recipe

SPLITS = ("grouped", "random", "environment", "time", "client")


def quiet(asked: Asked) -> Any:
    return fit.fit(asked, Crew(asked.out / "cells"), lambda done, total, name: None, lambda text: None)


# What a run leaves


def test_a_run_folder_holds_everything(run: Any, tiny: Recipe, site: Dataset) -> None:
    names = {path.name for path in run.folder.iterdir() if not path.name.startswith(".")}
    assert names == {
        *("config.json", "versions.json", "dataset.json", "splits.json", "history.json", "figures.json"),
        *("features.json", "calibration.json", "log.txt", "weights.npz", "ranges.npz", "calibrating.npz"),
        *("predictions", "cells", "work", "tiny.eacf"),
    }
    config = runs.read(run.folder / "config.json")
    assert config is not None
    assert (config["recipe"], config["seed"], config["bundle"]) == (tiny.document(), 1, run.made.id)
    assert (config["dataset"]["id"], config["dataset"]["rows"]) == (site.id, site.rows)
    assert not [path for path in run.folder.rglob(".*") if path.name != ".lock"]
    card, splits = runs.read(run.folder / "dataset.json"), runs.read(run.folder / "splits.json")
    assert card is not None
    assert splits is not None
    assert set(card["labels"]) == set(run.made.labels)
    assert set(splits) == {"grouped", "random"}
    assert set(splits["grouped"]["groups"]) == site_captures(site)
    history = runs.read(run.folder / "history.json")
    assert history is not None
    assert set(history) == {"grouped/0", "grouped/1", "random/0", "random/1"}
    assert all(
        len(points) == tiny.training.epochs and "validation_accuracy" in points[-1] for points in history.values()
    )


def site_captures(site: Dataset) -> set[str]:
    return set(site.table(["capture"]).column("capture").to_pylist())


def test_its_figures_are_of_flows_that_no_model_had_seen(run: Any, found: Flows) -> None:
    figures = runs.read(run.folder / "figures.json")
    assert figures is not None
    for name in ("grouped", "random"):
        told = Predictions.load(run.folder / "predictions" / f"{name}.npz")
        assert len(told) == len(found)
        known = told.known
        assert figures[name]["flows"] == int(known.sum())
        assert figures[name]["accuracy"] == pytest.approx((told.best == told.wanted)[known].mean(), abs=1e-3)
    assert figures["openset"]["auroc"] > 0.5
    assert run.made.manifest.document["figures"]["grouped"]["accuracy"] == figures["grouped"]["accuracy"]
    assert figures["model"]["parameters"] == 20 * 16 * 24 + 24 + 24 * 9 + 9


def test_all_ways_to_judge(judged: Any) -> None:
    """By an estimator, which is judged and not exported."""
    assert judged.bundle is None
    figures, splits = (runs.read(judged.folder / f"{name}.json") for name in ("figures", "splits"))
    assert figures is not None
    assert splits is not None
    assert set(SPLITS) <= set(figures)
    assert set(figures["early"]) == {"2", "4"}
    assert {name: set(each) for name, each in figures["compare"].items()} == {"naive-bayes": set(SPLITS)}
    assert figures["seeds"]["grouped"]["macro_f1"]["mean"] > 0.5
    assert set(splits) == set(SPLITS)
    assert {each["kind"] for each in splits.values()} == set(SPLITS)
    assert all(each["seeds"] == [1, 2] and each["reason"] for each in splits.values())
    assert {path.stem for path in (judged.folder / "predictions").iterdir()} == {*SPLITS, "unknown"}
    config = runs.read(judged.folder / "config.json")
    assert config is not None
    assert config["bundle"] is None


def test_the_bundle_says_what_its_calibration_says(run: Any, site: Dataset, found: Flows) -> None:
    """Training and serving: two programs, one verdict."""
    from eacf_trainer import again, learning, trained
    from eacf_trainer.bank import Bank

    used, made = again.model(run.folder)
    with np.load(run.folder / again.CALIBRATING) as held:
        calibration = calibrate.calibrate(held["logits"], held["wanted"], held["weights"], made.outputs, used.verdicts)
    (folder,) = (run.folder / "work").iterdir()
    bank = Bank.open(folder, used.input.cuts)
    places = np.flatnonzero(bank.there["records"])
    logits, _ = trained.answers(made, learning.samples(bank, places, used.input))
    said, confidence = calibration.said(logits), calibration.confidence(logits)
    assert 0 < said.sum() < len(said)
    at = {row: number for number, row in enumerate(found.rows["records"][places].tolist())}
    model = inference.load(run.folder / "tiny.eacf")
    best = np.array(run.made.labels)[logits[:, : made.outputs].argmax(axis=1)]
    for rows, samples in site.samples(np.sort(found.rows["records"][places])):
        for row, verdict in zip(rows.tolist(), model.verdicts(samples), strict=True):
            assert verdict.label == (best[at[row]] if said[at[row]] else None)
            assert verdict.confidence == pytest.approx(confidence[at[row]], abs=1e-3)


# Again, and on


def beside(run: Any, out: Path, *, cells: bool) -> Asked:
    """The same run in another folder, with the answers of its cells or without any."""
    out.mkdir()
    if cells:
        shutil.copytree(run.folder / "cells", out / "cells")
    asked: Asked = replace(run.asked, out=out)
    return asked


def same_bundle(run: Any, folder: Path) -> None:
    assert (folder / "tiny.eacf").read_bytes() == (run.folder / "tiny.eacf").read_bytes()
    assert (folder / "weights.npz").read_bytes() == (run.folder / "weights.npz").read_bytes()


def test_another_folder_gives_the_same_bytes(run: Any, tmp_path: Path) -> None:
    """Two cells, too, are trained again: their answers are the same to the bit."""
    asked = beside(run, tmp_path / "other", cells=True)
    taken = sorted((asked.out / "cells").iterdir())[:2]
    before = [path.read_bytes() for path in taken]
    taken[0].unlink()
    taken[1].write_bytes(b"damaged")
    quiet(asked)
    same_bundle(run, asked.out)
    for path, data in zip(taken, before, strict=True):
        again, first = cells.Answer.load(path), np.load(run.folder / "cells" / path.name)
        assert again is not None
        assert np.array_equal(again.logits, first["logits"])
        assert data


def test_a_run_that_is_finished_may_be_asked_for_again(judged: Any, tmp_path: Path) -> None:
    out = tmp_path / "run"
    shutil.copytree(judged.folder, out)
    quiet(replace(judged.asked, out=out))
    for name in ("config", "splits", "figures", "history", "dataset"):
        assert (out / f"{name}.json").read_bytes() == (judged.folder / f"{name}.json").read_bytes()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda asked: replace(asked, recipe=replace(asked.recipe, version="9")), "another recipe"),
        (lambda asked: replace(asked, seeds=(2,)), "another seed"),
        (lambda asked: replace(asked, seeds=(1, 2)), "another seeds"),
        (lambda asked: replace(asked, rules=LabelRules.named("domains")), "another label_map"),
    ],
    ids=["recipe", "seed", "seeds", "labels"],
)
def test_another_run_in_the_same_folder_is_refused(run: Any, change: Callable[[Asked], Asked], said: str) -> None:
    before = {path: path.read_bytes() for path in run.folder.glob("*.json")}
    with pytest.raises(SettingError, match=f"holds a run with {said}; name another folder, or give what that run was"):
        quiet(change(run.asked))
    assert {path: path.read_bytes() for path in run.folder.glob("*.json")} == before


COMMAND = """
import sys
from eacf_trainer.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def command(run: Any, tiny_text: str, tmp_path: Path) -> list[str]:
    """`eacf-train fit` of the tiny recipe into tmp_path / "run"."""
    (tmp_path / "tiny.toml").write_text(tiny_text)
    paths = [str(run.asked.dataset.folder), "--recipe", str(tmp_path / "tiny.toml"), "--out", str(tmp_path / "run")]
    return [sys.executable, "-c", COMMAND, "fit", *paths, "--labels", "testbed", "--jobs", "1"]


def ended(process: subprocess.Popen[str], folder: Path, by: signal.Signals, answers: int) -> tuple[int, str]:
    """Send a signal once so many cells are done; exit code and what was said."""
    begun = time.monotonic()
    while len(list((folder / "cells").glob("*.npz"))) < answers:
        assert process.poll() is None
        assert time.monotonic() - begun < 120
        time.sleep(0.02)
    process.send_signal(by)
    _, said = process.communicate(timeout=60)
    return process.returncode, said


def started(command: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_a_run_that_was_killed_goes_on(run: Any, command: list[str], tmp_path: Path) -> None:
    """Ctrl-C, then a kill, then its end in this process: the same bundle. Another process is refused meanwhile."""
    out = tmp_path / "run"
    kept = sorted((run.folder / "cells").iterdir())
    (out / "cells").mkdir(parents=True)
    for path in kept[:-4]:  # most of the work is done already
        shutil.copyfile(path, out / "cells" / path.name)
    code, said = ended(started(command), out, signal.SIGINT, len(kept) - 3)
    assert code == 130
    assert said.endswith("eacf-train: interrupted; the same command goes on where it ended\n")
    assert "Traceback" not in said
    assert not (out / "tiny.eacf").exists()
    process = started(command)
    while "training" not in (process.stderr.readline() if process.stderr else ""):
        assert process.poll() is None
    with pytest.raises(SettingError, match="another process works on this run; wait for it, or name another folder"):
        quiet(replace(run.asked, out=out))
    code, _ = ended(process, out, signal.SIGKILL, len(kept) - 2)
    assert code == -signal.SIGKILL
    assert not list(out.glob("*.eacf"))
    quiet(replace(run.asked, out=out))
    same_bundle(run, out)


# Bad input


def test_recipes_that_contradict_themselves(run: Any, tiny: Recipe, tmp_path: Path) -> None:
    split = tiny.split
    wrong = {
        "split.beside holds 'grouped', which is split.by already": replace(split, beside=("random", "grouped")),
        "split.beside is empty; a run shows two splits at least": replace(split, beside=()),
    }
    for said, each in wrong.items():
        with pytest.raises(SettingError, match=said):
            quiet(replace(run.asked, recipe=replace(tiny, split=each), out=tmp_path / "run"))
    estimator = replace(tiny, network=replace(tiny.network, kind="estimator"))
    with pytest.raises(SettingError, match=r"network\.estimator does not say which"):
        quiet(replace(run.asked, recipe=estimator, out=tmp_path / "run"))
    for compare in ("sklearn.svm.SVC(C=-1)", "sklearn.linear_model.Ridge()", "svn"):
        with pytest.raises(SettingError, match="estimator '"):
            quiet(replace(run.asked, recipe=replace(tiny, compare=(compare,)), out=tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_a_dataset_that_nothing_can_be_learnt_from(run: Any, tiny: Recipe, tmp_path: Path) -> None:
    asked = replace(run.asked, out=tmp_path / "run")
    few = replace(tiny, labels=Labels(least_flows=10_000))
    with pytest.raises(
        FlowsError, match=r"no label can be learnt, 2 at least are needed: .* add captures, another label"
    ):
        quiet(replace(asked, recipe=few))
    with pytest.raises(FlowsError, match="no label can be learnt"):
        quiet(replace(asked, recipe=replace(tiny, labels=Labels(kinds=("cdn",))), out=tmp_path / "other"))
    assert not (tmp_path / "run" / "tiny.eacf").exists()


def test_a_cut_that_the_dataset_lacks(found: Flows, tiny: Recipe) -> None:
    only = replace(found, rows={**found.rows, "stream": np.full(len(found), -1)})
    assert fit.with_cuts(tiny, only).input.cuts == ("records",)
    paper = replace(tiny, input=replace(tiny.input, cuts=("stream",)))
    with pytest.raises(SettingError, match="wants samples cut as stream, the dataset has records; build it with --cut"):
        fit.with_cuts(paper, only)


def test_a_split_that_divides_nothing_is_left_out(judged: Any, found: Flows, neighbours: Recipe) -> None:
    from eacf_trainer.protocol import Bench

    one = replace(found, clients=("192.0.2.1",) * len(found))
    bench = Bench(one, neighbours, "bank")
    assert "client" not in fit.Plan.of(bench, judged.asked).judged
    by = replace(neighbours, split=replace(neighbours.split, by="client", beside=("random",)))
    with pytest.raises(SettingError, match=r"split.by 'client' does not divide this dataset: all flows of the labels"):
        fit.Plan.of(Bench(one, by, "bank"), judged.asked)
    alone = replace(neighbours, split=replace(neighbours.split, beside=("client",)))
    with pytest.raises(SettingError, match=r"none of split.beside \(client\) divides .* add 'random'"):
        fit.Plan.of(Bench(one, alone, "bank"), judged.asked)


def test_half_a_run_folder(run: Any, tmp_path: Path) -> None:
    for data, said in ((b'{"recipe": ', "cannot be read"), (b"[]", "holds no object")):
        out = tmp_path / f"run-{len(data)}"
        out.mkdir()
        (out / "config.json").write_bytes(data)
        with pytest.raises(SettingError, match=f"config.json: {said}.*; name a folder that `eacf-train fit` wrote"):
            quiet(replace(run.asked, out=out))
        assert (out / "config.json").read_bytes() == data
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(SettingError, match=f"--out {path}: .*; name a folder that can be written"):
            quiet(replace(run.asked, out=path))


def test_only_the_model(run: Any, tmp_path: Path) -> None:
    """Fewer trainings, the same weights and thresholds."""
    asked = replace(beside(run, tmp_path / "other", cells=True), judged=False)
    told: list[int] = []
    made = fit.fit(asked, Crew(asked.out / "cells"), lambda done, total, name: told.append(total), lambda text: None)
    assert made is not None
    assert told == [2]
    assert made.model == run.made.model
    for key in ("thresholds", "calibration", "labels", "features", "golden"):
        assert made.manifest.document[key] == run.made.manifest.document[key]
    assert json.loads((asked.out / "figures.json").read_text()).keys() == {"model"}
    assert os.listdir(asked.out / "predictions") == ["grouped.npz"]  # noqa: PTH208
