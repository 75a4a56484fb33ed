from __future__ import annotations

from typing import Any

import pytest

from eacf.models.lineage import Gate, Lineage, Window, lineage

WHOLE: dict[str, Any] = {
    "parent": "a" * 12,
    "window": {"first": "2025-01-31T12:00:00Z", "last": "2025-02-01T12:00:00Z", "samples": 1000},
    "gate": {"macro_f1": 0.9, "parent_macro_f1": 0.8, "p": 1e-9, "judged": 250},
}


def test_as_the_trainer_writes_it() -> None:
    assert lineage(WHOLE) == Lineage(
        "a" * 12, Window("2025-01-31T12:00:00Z", "2025-02-01T12:00:00Z", 1000), Gate(0.9, 0.8, 1e-9, 250)
    )
    assert lineage(WHOLE | {"gate": None, "parent": None}) == Lineage(
        None, Window("2025-01-31T12:00:00Z", "2025-02-01T12:00:00Z", 1000), None
    )


@pytest.mark.parametrize("found", [None, 3, "x", []])
def test_none(found: object) -> None:
    assert lineage(found) is None


def test_what_nobody_checked_is_not_believed() -> None:
    found = lineage(
        {
            "parent": "\x1b[31m",
            "window": {"first": "x" * 1000, "last": 3, "samples": -1},
            "gate": {"macro_f1": float("nan"), "parent_macro_f1": "0.8", "p": True, "judged": 1 << 60},
        }
    )
    assert found == Lineage(None, Window(None, None, None), Gate(None, None, None, None))
