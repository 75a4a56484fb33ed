from __future__ import annotations

import pytest

from eacf.errors import SettingError
from eacf_trainer.experiments.settings import LIGHT, ExperimentError, Settings


def test_the_defaults_are_the_papers() -> None:
    full = Settings()
    assert (full.epochs, full.batch, full.learning_rate, full.flows_per_label) == (100, 64, 0.0005, 700)
    assert full.sizes == tuple(range(500, 4001, 500))
    assert full.lighter() == ""


def test_a_lighter_setting_says_in_which_way() -> None:
    assert "epochs 12 instead of 100" in LIGHT.lighter()
    assert "sizes 500, 1000, 2000, 3000, 4000 instead of" in LIGHT.lighter()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("epochs", 0, "--epochs 0"),
        ("folds", 1, "--folds 1"),
        ("sizes", (500, 4), "--sizes 4"),
        ("min_captures", 1, "--min-captures 1"),
        ("sizes", (), "--sizes"),
    ],
)
def test_a_wrong_setting_is_named_as_it_was_given(name: str, value: object, said: str) -> None:
    with pytest.raises(SettingError, match=said):
        Settings(**{name: value})  # type: ignore[arg-type]


def test_sizes_that_no_flow_fills_are_left_out() -> None:
    fitting = LIGHT.fitting(2500)
    assert fitting.sizes == (500, 1000, 2000)
    assert fitting.main == 2000
    with pytest.raises(ExperimentError, match="--payload-bytes"):
        LIGHT.fitting(499)
