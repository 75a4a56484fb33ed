from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from eacf_trainer.experiments import data
from eacf_trainer.experiments.settings import ExperimentError, Settings

from .conftest import made


def names_and_captures(counts: dict[str, int], captures: int = 4) -> tuple[list[str | None], list[str]]:
    names = [name for name, count in counts.items() for _ in range(count)]
    return [*names], [f"c{place % captures}" for place in range(len(names))]


def test_labels_with_enough_are_drawn_up_to_a_bound(settings: Settings) -> None:
    names, captures = names_and_captures({"many": 50, "enough": 12, "few": 4})
    rows, left_out = data.draw([*names, None], [*captures, "c0"], replace(settings, flows_per_label=20))
    assert [names[row] for row in rows].count("many") == 20
    assert [names[row] for row in rows].count("enough") == 12
    assert rows == sorted(rows)
    assert left_out == {"few": "4 flows in 4 captures"}


def test_a_label_of_one_capture_is_left_out(settings: Settings) -> None:
    names = ["a"] * 12 + ["b"] * 12
    captures = ["c1"] * 12 + ["c1", "c2"] * 6
    assert data.draw(names, captures, settings)[1] == {"a": "12 flows in 1 capture"}


def test_captures_that_hold_a_copy_are_one(settings: Settings) -> None:
    rng = np.random.default_rng(0)
    samples = [made(rng.bytes(100), [100]) for _ in range(48)]
    samples[1] = samples[0]
    names = ["a", "a", "b", "b"] * 12
    captures = ["c0", "c1", "c2", "c3"] * 12
    with pytest.raises(
        ExperimentError, match=r"1 label with at least 10 flows in 2 captures.*a: 24 flows in 1 capture"
    ):
        data.gather(samples, names, captures, [0] * 48, settings, {}, "x")


def test_two_labels_are_needed_and_the_message_says_what_helps(settings: Settings) -> None:
    samples = [made(bytes([number]) * 80, [80]) for number in range(20)]
    with pytest.raises(ExperimentError, match=r"1 label .* 2 are needed .*--min-flows or --min-captures"):
        data.gather(samples, ["a"] * 20, ["c1", "c2"] * 10, [0] * 20, settings, {}, "x")


def test_flows_whose_payload_was_not_kept_are_left_out(settings: Settings) -> None:
    rng = np.random.default_rng(0)
    samples = [made(rng.bytes(20 if number < 4 else 100), [100]) for number in range(48)]
    flows = data.gather(samples, ["a", "b"] * 24, ["c1", "c1", "c2", "c2"] * 12, [0] * 48, settings, {}, "x")
    assert len(flows.samples) == 44
    assert flows.longest == 100


def test_the_id_hangs_on_rows_and_labels(settings: Settings) -> None:
    rng = np.random.default_rng(0)
    samples = [made(rng.bytes(100), [100]) for _ in range(48)]

    def made_id(names: list[str], identity: str) -> str:
        return data.gather(samples, names, ["c1", "c1", "c2", "c2"] * 12, [0] * 48, settings, {}, identity).id

    one = made_id(["a", "b"] * 24, "x")
    assert one == made_id(["a", "b"] * 24, "x")
    assert one != made_id(["a", "b"] * 24, "y")
    assert one != made_id(["b", "a"] * 24, "x")
