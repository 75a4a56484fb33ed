"""Load has the averages that it promises."""

from __future__ import annotations

from statistics import mean

import pytest

from eacf_trainer.testbed.load import samples


def test_averages_are_those_asked_for() -> None:
    made = samples(1, 2_000)
    assert mean(len(each.chunks) for each in made) == pytest.approx(4, rel=0.05)
    assert mean(len(each.records) for each in made) == pytest.approx(18, rel=0.05)
    assert {len(each.payload) for each in made} == {3000}
    assert all(sum(chunk.length for chunk in each.chunks) == 3000 for each in made)


def test_records_only_has_no_payload() -> None:
    made = samples(1, 500, payload_bytes=0, chunks=0, records=8)
    assert not any(each.payload or each.chunks for each in made)
    assert mean(len(each.records) for each in made) == pytest.approx(8, rel=0.1)
