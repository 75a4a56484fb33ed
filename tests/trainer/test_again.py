"""A run's model from its folder alone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eacf.errors import BundleError, SettingError
from eacf_trainer import again


@pytest.fixture
def folder(run: Any, tmp_path: Path) -> Path:
    """What is needed of the tiny run, to do with as one likes."""
    out = tmp_path / "run"
    shutil.copytree(run.folder, out, ignore=shutil.ignore_patterns("cells", "work", "predictions"))
    return out


def test_export_gives_the_same_bytes(run: Any, tmp_path: Path) -> None:
    made = again.export(run.folder, tmp_path / "again.eacf")
    assert (tmp_path / "again.eacf").read_bytes() == (run.folder / "tiny.eacf").read_bytes()
    assert made.id == run.made.id
    assert list(tmp_path.iterdir()) == [tmp_path / "again.eacf"]


def test_another_precision_changes_thresholds_alone(run: Any, tmp_path: Path) -> None:
    strict = again.export(run.folder, tmp_path / "strict.eacf", precision=1.0)
    loose = again.export(run.folder, tmp_path / "loose.eacf", precision=0.1)
    assert strict.model == loose.model == run.made.model
    assert all(high >= low for high, low in zip(strict.manifest.thresholds, loose.manifest.thresholds, strict=True))
    assert strict.manifest.thresholds != loose.manifest.thresholds
    one, other = strict.manifest.document, run.made.manifest.document
    different = {key for key in one if one[key] != other[key]}
    assert different == {"figures", "id", "thresholds", "training"}
    assert "accuracy_said" in other["figures"]["grouped"]
    assert "accuracy_said" not in one["figures"]["grouped"]  # it was what other thresholds gave
    assert one["figures"]["grouped"]["macro_f1"] == other["figures"]["grouped"]["macro_f1"]
    assert one["training"]["recipe"]["verdicts"] == {"precision": 1.0, "known_refused": 0.05}
    named = again.export(run.folder, tmp_path / "named.eacf", name="other").manifest.document
    assert {key for key in named if named[key] != other[key]} == {"id", "name"}


def test_more_known_flows_refused_raises_what_a_known_flow_needs(run: Any, tmp_path: Path) -> None:
    many = again.export(run.folder, tmp_path / "many.eacf", known_refused=0.5)
    none = again.export(run.folder, tmp_path / "none.eacf", known_refused=0.0)
    assert many.manifest.known is not None
    assert none.manifest.known is not None
    assert all(high > low for high, low in zip(many.manifest.known, none.manifest.known, strict=True))


def test_the_float_network_comes_back(run: Any) -> None:
    used, made = again.model(run.folder)
    assert used == run.asked.recipe
    with np.load(run.folder / "weights.npz") as held:
        for name, variable in zip(held.files, made.network.weights, strict=True):
            assert np.array_equal(held[name], variable.numpy())
    assert made.model == run.made.model
    assert made.background
    assert made.outputs == len(run.made.labels)


@pytest.mark.parametrize("name", ["weights.npz", "ranges.npz", "features.json", "calibrating.npz"])
@pytest.mark.parametrize("how", ["gone", "cut", "empty", "other"])
def test_a_folder_that_is_not_whole(folder: Path, name: str, how: str) -> None:
    path = folder / name
    whole = path.read_bytes()
    if how == "gone":
        path.unlink()
    else:
        path.write_bytes({"cut": whole[: len(whole) // 2], "empty": b"", "other": b'{"name": "lengths"}'}[how])
    with pytest.raises(SettingError, match=f"{folder}.*(is not whole|cannot be read).*`eacf-train fit`"):
        again.export(folder, folder.parent / "out.eacf")
    assert not (folder.parent / "out.eacf").exists()


def test_weights_of_another_network(folder: Path) -> None:
    np.savez(folder / "weights.npz", a=np.zeros((3, 4)), b=np.zeros(4))
    with pytest.raises(SettingError, match="is not whole"):
        again.export(folder, folder.parent / "out.eacf")


def test_what_is_no_run_or_none_that_was_finished(folder: Path, judged: Any, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"no run folder \(it has no config.json\)"):
        again.export(tmp_path / "nothing", tmp_path / "out.eacf")
    with pytest.raises(SettingError, match="was not finished, or its model cannot be exported"):
        again.export(judged.folder, tmp_path / "out.eacf")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"bundle": None}))
    with pytest.raises(SettingError, match="was not finished"):
        again.export(folder, tmp_path / "out.eacf")
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tiny.eacf").unlink()
    with pytest.raises(BundleError, match=r"tiny\.eacf: cannot be read"):
        again.export(folder, tmp_path / "out.eacf")


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_a_share_is_from_0_to_1(folder: Path, value: float) -> None:
    with pytest.raises(SettingError, match=f"--known-refused {value}: must be from 0 to 1"):
        again.export(folder, folder.parent / "out.eacf", known_refused=value)
