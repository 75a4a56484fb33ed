"""docs/notebook.md: what it shows runs, on the bundle that eacf ships."""

from __future__ import annotations

import re
from pathlib import Path

import pytest


def pieces(repository: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (repository / "docs" / "notebook.md").read_text(), re.DOTALL)


@pytest.mark.parametrize("number", range(4))
def test_a_piece_runs(
    number: int, repository: Path, make_capture: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_capture(3, name="office.pcap")  # type: ignore[operator]
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(pieces(repository)[number], names)
    if number == 0:
        verdicts = names["verdicts"]
        assert isinstance(verdicts, list)
        assert len(verdicts) == 3
    if number == 3:
        assert names["again"] == names["sample"]


def test_the_first_piece_is_five_lines(repository: Path) -> None:
    first = pieces(repository)[0]
    assert len([line for line in first.splitlines() if line]) <= 5
    assert len(pieces(repository)) == 4
