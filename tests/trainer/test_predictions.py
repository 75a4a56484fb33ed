"""Predictions: what fits is kept, what does not is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from eacf_trainer.predictions import UNKNOWN, Predictions, PredictionsError


def some(count: int = 4, extra: int = 1) -> Predictions:
    probabilities = np.full((count, 2 + extra), 1 / (2 + extra), np.float32)
    probabilities[:, 1] += 0.1
    return Predictions(
        ("a", "b"),
        row=np.arange(count),
        wanted=np.array([0, 1, UNKNOWN, 1][:count]),
        probabilities=probabilities,
        strangeness=np.linspace(0, 1, count, dtype=np.float32),
        said=np.ones(count, bool),
        fold=np.zeros(count, np.int64),
    )


def test_saved_and_loaded_they_are_the_same(tmp_path: Path) -> None:
    one = some()
    one.save(tmp_path / "p.npz")
    again = Predictions.load(tmp_path / "p.npz")
    assert again.labels == one.labels
    assert np.array_equal(again.probabilities, one.probabilities)
    assert again.best.tolist() == [1, 1, 1, 1]
    assert again.known.tolist() == [True, True, False, True]
    assert [path.name for path in tmp_path.iterdir()] == ["p.npz"]


@pytest.mark.parametrize("data", [b"", b"nonsense", b"PK\x03\x04"])
def test_another_file_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "p.npz").write_bytes(data)
    with pytest.raises(PredictionsError, match="holds no predictions"):
        Predictions.load(tmp_path / "p.npz")


def test_parts_are_joined_and_taken_apart() -> None:
    both = Predictions.joined([some(), some(2)])
    assert len(both) == 6
    assert both.only(both.known).wanted.tolist() == [0, 1, 1, 0, 1]
    with pytest.raises(ValueError, match="same labels"):
        Predictions.joined([])


def test_shapes_are_checked() -> None:
    one = some()
    with pytest.raises(ValueError, match="probabilities"):
        Predictions(one.labels, one.row, one.wanted, one.probabilities[:, :1], one.strangeness, one.said, one.fold)
    with pytest.raises(ValueError, match="fold"):
        Predictions(one.labels, one.row, one.wanted, one.probabilities, one.strangeness, one.said, one.fold[1:])
