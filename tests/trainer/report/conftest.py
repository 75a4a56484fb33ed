"""A run folder, made of small real fits on made-up record lengths. Some of its names are hostile."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow
import pytest
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.neural_network import MLPClassifier

from eacf_trainer import figures, report, splits
from eacf_trainer.predictions import UNKNOWN, Predictions

SCRIPT = "<script>alert(1)</script>.example"
LABELS = ("mail", "video", '"><img src=x onerror=alert(2)>', "$x_{$ \\frac", "chat")
CAPTURES, FLOWS = 12, 240
RECORDS = 8
SECOND = 10**9
BEGIN_NS = 1_577_836_800 * SECOND  # 2020-01-01


class Rows:
    """A dataset, in so far as figures and report ask for one."""

    def __init__(self, table: pyarrow.Table) -> None:
        self._table = table

    def table(self, columns: Sequence[str]) -> pyarrow.Table:
        return self._table.select(list(columns))


class Made(NamedTuple):
    """What was made."""

    folder: Path
    rows: Rows


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A run with all that a report can show."""
    folder = tmp_path_factory.mktemp("report") / "run"
    (folder / "predictions").mkdir(parents=True)
    rng = np.random.default_rng(5)
    wanted = rng.integers(0, len(LABELS), FLOWS)
    capture = rng.integers(0, CAPTURES, FLOWS)
    lengths = _lengths(rng, wanted, capture)
    protocols = {
        "grouped": splits.grouped_folds(wanted, capture, 3, 0),
        "random": splits.random_folds(wanted, 3, 0),
    }
    runs = {name: [_judged(lengths, wanted, fold, seed) for seed in (0, 1)] for name, fold in protocols.items()}
    for name, (first, _) in runs.items():
        first.save(folder / "predictions" / f"{name}.npz")
    unknown = _held_out(lengths, wanted, protocols["grouped"])
    unknown.save(folder / "predictions" / "unknown.npz")
    held_out = [LABELS[number] for number in wanted[unknown.row]]
    early = {
        str(count): figures.closed(_judged(lengths[:, :count], wanted, protocols["grouped"], 0)) for count in (1, 2, 8)
    }
    documents: dict[str, Any] = {
        "figures": {
            "seeds": {name: figures.spread([figures.of(one) for one in several]) for name, several in runs.items()},
            "early": {count: {key: told[key] for key in ("macro_f1", "accuracy")} for count, told in early.items()},
            "compare": {
                "sklearn.tree.DecisionTreeClassifier()": {
                    name: figures.spread(
                        [figures.closed(_judged(lengths[:, :2], wanted, fold, seed)) for seed in (0, 1)]
                    )
                    for name, fold in protocols.items()
                }
            },
            "openset": {"labels": figures.openset(unknown, held_out)["labels"]},
            "model": {
                "size_kb": 12.5,
                "parameters": 12_345,
                "us_per_flow_int8": 3.25,
                "us_per_flow_float32": 6.5,
                "needs": {"payload_bytes": 0, "window_bytes": 0, "records": 8, "chunks": False},
            },
        },
        "history": {f"grouped/{fold}": _history(lengths, wanted, protocols["grouped"] != fold) for fold in range(2)},
        "dataset": _card(wanted, capture),
        "splits": {
            "grouped": {
                "kind": "grouped",
                "by": "capture",
                "reason": "captures stay whole",
                "folds": 3,
                "seeds": [0, 1],
            },
            "random": {"kind": "random", "by": "flow", "reason": "at random: near copies", "folds": 3, "seeds": [0, 1]},
        },
        "config": {
            "recipe": {"name": "small", "about": SCRIPT, "split": {"by": "grouped"}, "training": {"decay": True}},
            "seed": 0,
            "dataset": {"id": "0123456789ab", "rows": FLOWS, "folder": "/nowhere"},
            "label_map": {"name": "testbed", "id": "ba9876543210"},
            "bundle": "f4355264fef2",
        },
        "versions": {"eacf": "0.0.1", "python": "3.11.7"},
    }
    for name, document in documents.items():
        (folder / f"{name}.json").write_text(json.dumps(document))
    return Made(folder, Rows(_table(rng, wanted, capture, lengths)))


@pytest.fixture(scope="session")
def html(made: Made) -> str:
    """Its report."""
    return report.render(report.read(made.folder, made.rows))


@pytest.fixture
def without(made: Made, tmp_path: Path) -> Callable[..., report.Run]:
    """The run with only these files, or without those."""

    def make(*, only: Sequence[str] | None = None, left_out: Sequence[str] = ()) -> report.Run:
        copy = tmp_path / "copy"
        shutil.copytree(made.folder, copy)
        for path in list(copy.rglob("*")):
            name = path.relative_to(copy).as_posix()
            if path.is_file() and (name in left_out or (only is not None and name not in only)):
                path.unlink()
        return report.read(copy)

    return make


def _lengths(rng: np.random.Generator, wanted: np.ndarray, capture: np.ndarray) -> np.ndarray:
    """(n, RECORDS): a label has its lengths, a capture shifts them."""
    typical = rng.integers(-4000, 4000, (len(LABELS), RECORDS))
    shifts = rng.normal(0, 2500, (CAPTURES, RECORDS))
    noise = rng.normal(0, 1500, (len(wanted), RECORDS))
    return (typical[wanted] + shifts[capture] + noise).round()


def _judged(lengths: np.ndarray, wanted: np.ndarray, fold: np.ndarray, seed: int) -> Predictions:
    probabilities = np.zeros((len(wanted), len(LABELS)), np.float32)
    for each in np.unique(fold):
        test = fold == each
        fitted = ExtraTreesClassifier(10, random_state=seed, n_jobs=1).fit(lengths[~test], wanted[~test])
        probabilities[np.ix_(test, fitted.classes_)] = fitted.predict_proba(lengths[test])
    return _predictions(np.arange(len(wanted)), wanted, probabilities, fold)


def _held_out(lengths: np.ndarray, wanted: np.ndarray, fold: np.ndarray) -> Predictions:
    """Each label left out once; what is left is judged by a third of it."""
    parts = []
    for label in range(len(LABELS)):
        unknown = wanted == label
        test = unknown | (fold == label % 3)
        fitted = ExtraTreesClassifier(10, random_state=0, n_jobs=1).fit(lengths[~test], wanted[~test])
        probabilities = np.zeros((int(test.sum()), len(LABELS)), np.float32)
        probabilities[:, fitted.classes_] = fitted.predict_proba(lengths[test])
        told = np.where(unknown, UNKNOWN, wanted)[test]
        parts.append(_predictions(np.flatnonzero(test), told, probabilities, np.full(len(told), label)))
    return Predictions.joined(parts)


def _predictions(row: np.ndarray, wanted: np.ndarray, probabilities: np.ndarray, fold: np.ndarray) -> Predictions:
    sure = probabilities.max(axis=1)
    return Predictions(LABELS, row, wanted, probabilities, (1 - sure).astype(np.float32), sure > 0.5, fold)


def _history(lengths: np.ndarray, wanted: np.ndarray, training: np.ndarray) -> list[dict[str, float]]:
    scaled = lengths / 4000
    network = MLPClassifier((8,), random_state=0)
    epochs = []
    for epoch in range(4):
        network.partial_fit(scaled[training], wanted[training], classes=range(len(LABELS)))
        epochs.append({"loss": float(network.loss_)})
        if epoch % 2:
            epochs[-1] |= {
                "accuracy": float(network.score(scaled[training], wanted[training])),
                "validation_accuracy": float(network.score(scaled[~training], wanted[~training])),
            }
    return epochs


def _card(wanted: np.ndarray, capture: np.ndarray) -> dict[str, Any]:
    return {
        "flows": 2 * FLOWS,
        "connections": FLOWS,
        "captures": CAPTURES,
        "environments": 3,
        "clients": 4,
        "first_ns": BEGIN_NS,
        "last_ns": BEGIN_NS + FLOWS * 86_400 * SECOND,
        "tls_versions": {"0x303": 200, "0x304": 40},
        "cuts": {"records": FLOWS, "stream": FLOWS},
        "labels": {
            label: {
                "kind": "application",
                "flows": int((wanted == number).sum()),
                "captures": len(np.unique(capture[wanted == number])),
                "clients": 3,
                "first_ns": BEGIN_NS,
                "last_ns": BEGIN_NS + 86_400 * SECOND,
            }
            for number, label in enumerate(LABELS)
        },
        "refused": {"rare.example": "12 flows, fewer than 30"},
        "unlabelled": 7,
    }


def _table(rng: np.random.Generator, wanted: np.ndarray, capture: np.ndarray, lengths: np.ndarray) -> pyarrow.Table:
    names = [SCRIPT, None, "evil\u202egpj.example", "plain.example"]
    return pyarrow.table(
        {
            "server_name": [names[number % 4] for number in range(len(wanted))],
            "capture": [f"home/{number}.pcap" for number in capture],
            "uid": [f"C{number}" for number in range(len(wanted))],
            "start_ns": [BEGIN_NS + number * SECOND for number in range(len(wanted))],
            "tls_version": [(0x303, 0x304, None)[number] for number in rng.integers(0, 3, len(wanted))],
            "cut": ["records"] * len(wanted),
            "records": lengths.astype(int).tolist(),
        }
    )
