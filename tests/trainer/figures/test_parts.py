"""Groups, seeds and the worst flows."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Callable, Sequence

import pyarrow
import pytest

from eacf_trainer import figures
from eacf_trainer.figures.numbers import rounded, share, thinned
from eacf_trainer.predictions import Predictions

Make = Callable[..., Predictions]


class Rows:
    """Ten rows that tell their number."""

    def table(self, columns: Sequence[str]) -> pyarrow.Table:
        told = {
            "server_name": [f"{number}.example" if number else None for number in range(10)],
            "capture": ["home/one.pcap"] * 10,
            "uid": [f"C{number}" for number in range(10)],
            "start_ns": [number * 10**9 for number in range(10)],
            "tls_version": [0x303] * 10,
            "cut": ["records"] * 10,
            "records": [[number, -number] for number in range(10)],
        }
        return pyarrow.table({name: told[name] for name in columns})


def test_groups_by_hand(told: Make) -> None:
    """TLS 1.3 is right twice, TLS 1.2 once in two; a group of unknown flows alone is none."""
    predictions = told([0, 1, 0, 0, -1, 1], [0, 1, 0, 1, 0, 1], said=[True, True, False, True, True, True])
    found = figures.by_group(predictions, [0x304, 0x304, 0x303, 0x303, 0x301, None])
    assert list(found) == ["771", "772", "none"]
    assert found["772"] == {
        "flows": 2,
        "labels": 2,
        "accuracy": 1.0,
        "macro_f1": 1.0,
        "coverage": 1.0,
        "accuracy_said": 1.0,
        "coverage_at_95": 1.0,
    }
    assert (found["771"]["accuracy"], found["771"]["labels"], found["771"]["accuracy_said"]) == (0.5, 1, 0.0)


def test_spread_by_hand() -> None:
    found = figures.spread([{"f": 0.7, "n": 3, "x": None, "d": {}}, {"f": 0.74, "n": 3, "x": 1.0, "d": {}, "more": 2}])
    assert found == {
        "f": {"mean": 0.72, "sd": round(statistics.stdev((0.7, 0.74)), 4), "values": [0.7, 0.74]},
        "n": {"mean": 3.0, "sd": 0.0, "values": [3, 3]},
    }


def test_one_seed_has_no_spread() -> None:
    assert figures.spread([{"f": 0.7}]) == {"f": {"mean": 0.7, "sd": None, "values": [0.7]}}
    assert figures.spread([]) == {}


def test_worst_are_the_surest_of_the_wrong(told: Make) -> None:
    predictions = told([0, 0, 1, 1, -1], [1, 0, 0, 0, 0], [0.7, 0.99, 0.9, 0.7, 0.95], fold=[3, 0, 4, 0, 0])
    found = figures.worst(predictions)
    assert [flow["row"] for flow in found] == [2, 0, 3]
    assert found[0] == {
        "row": 2,
        "fold": 4,
        "wanted": "b",
        "best": "a",
        "confidence": 0.9,
        "said": True,
    }
    assert [flow["row"] for flow in figures.worst(predictions, 1)] == [2]


def test_worst_are_described_from_the_dataset(told: Make) -> None:
    found = figures.described(figures.worst(told([0, 0, 1], [1, 0, 0], [0.7, 0.99, 0.9])), Rows())
    assert [flow["server_name"] for flow in found] == ["2.example", None]
    assert found[0]["records"] == [2, -2]
    assert found[0]["wanted"] == "b"
    assert figures.described([], Rows()) == []


def test_all_figures_are_plain_json(drawn: Make) -> None:
    predictions = drawn(1)
    found = figures.of(predictions, {"capture": [f"c{row % 7}" for row in predictions.row], "cut": ["records"] * 50})
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert set(found["groups"]) == {"capture", "cut"}
    assert found["interval"]["groups"] == 7
    assert found["groups"]["cut"]["records"]["accuracy"] == found["accuracy"]
    assert figures.of(predictions)["interval"] is None


def test_numbers() -> None:
    assert share(1, 3) == 0.3333
    assert share(0, 0) is None
    assert math.copysign(1, rounded(-0.00001)) == 1
    assert thinned(3).tolist() == [0, 1, 2]
    assert thinned(1000, 5).tolist() == [0, 250, 500, 749, 999]
    with pytest.raises(ValueError, match="nan"):
        rounded(math.nan)
