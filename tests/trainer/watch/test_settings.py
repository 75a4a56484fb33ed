from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from eacf.errors import SettingError
from eacf_trainer.watch.settings import Settings, parse, resolve


def test_the_papers_values_are_the_default() -> None:
    assert Settings().triggers.samples == 1000
    assert Settings().triggers.interval_s == 1800
    assert Settings().samples.judged == 0.2


def test_a_file_is_overruled_by_flags(tmp_path: Path) -> None:
    file = tmp_path / "watch.toml"
    file.write_text('labels = "mine.toml"\n[gate]\nalpha = 0.01\n[delivery]\nkey = "a.key"\n')
    found = resolve(file, {"delivery.key": "b.key", "paper": None, "samples.quarantine_s": 5.0})
    assert (found.labels, found.gate.alpha, found.delivery.key) == ("mine.toml", 0.01, "b.key")
    assert found.samples.quarantine_s == 5.0
    assert parse(found.document(), "order") == found


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[gate]\nalfa = 1", "gate.alfa: no such key"),
        ("[gate]\nalpha = 0.9", "gate.alpha is '0.9'|gate.alpha is 0.9"),
        ("[process]\nmemory_mb = 1", "process.memory_mb"),
        ("[update]\nfolds = 1", "update.folds is '1': allowed: 0, or 2 to 20"),
        ("triggers = 1", "triggers"),
        ("[gate", "is no TOML"),
    ],
)
def test_a_mistake_names_its_place(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "watch.toml"
    file.write_text(text)
    with pytest.raises(SettingError, match=told):
        resolve(file, {"triggers.samples": 5} if text.startswith("triggers") else {})


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="name a settings file"):
        resolve(tmp_path / "none.toml", {})


def test_the_page_on_the_loop_tells_every_setting_with_its_default() -> None:
    page = (Path(__file__).parents[3] / "docs" / "learning.md").read_text()
    block = page.split("```toml\n", 1)[1].split("```", 1)[0]
    assert parse(tomllib.loads(block), "docs/learning.md") == Settings()
    told, there = (_keys(each) for each in (tomllib.loads(block), Settings().document()))
    assert told == there


def _keys(document: Mapping[str, Any]) -> set[str]:
    inner = {f"{key}.{name}" for key, value in document.items() if isinstance(value, dict) for name in value}
    return set(document) | inner
