from __future__ import annotations

import pytest

from eacf_trainer.experiments import timing
from eacf_trainer.experiments.data import Flows


@pytest.mark.slow
def test_time_is_measured_for_both_types_and_batches(flows: Flows) -> None:
    found = timing.measure(flows, 64, rounds=2)
    assert set(found["us"]) == {
        "encode",
        "float32, batch 1",
        "float32, batch 32",
        "int8, batch 1",
        "int8, batch 32",
    }
    assert all(0 < first <= middle <= third for first, middle, third in found["us"].values())
    assert found["bytes"]["int8"] < found["bytes"]["float32"]


def test_the_processor_has_a_name() -> None:
    assert timing.cpu().endswith("cores")
