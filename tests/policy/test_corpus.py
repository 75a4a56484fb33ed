"""Policies that both readers take, with what they mean, and such that both refuse, with the line: Python's reader and Zeek's agree."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from eacf.errors import SettingError
from eacf.policy import faults_of, parse

TESTS = Path(__file__).resolve().parents[1]
GOOD = sorted((TESTS / "policies" / "good").glob("*.toml"))
BAD = sorted((TESTS / "policies" / "bad").glob("*.toml"))
ACT_KEYS = ("priority", "dscp", "rate")


def meaning_of(file: Path) -> Any:
    return json.loads(file.with_suffix(".json").read_text())


def line_of(file: Path) -> int:
    """Where the fault is, by the comment in each bad one."""
    found = re.search(rb"# wrong: line ([0-9]+), ", file.read_bytes())
    assert found is not None, f"{file} does not say what is wrong with it"
    return int(found[1])


@pytest.mark.parametrize("file", GOOD, ids=lambda file: file.stem)
def test_what_it_means(file: Path) -> None:
    assert parse(file.read_bytes(), str(file)).document() == meaning_of(file)


@pytest.mark.parametrize("file", BAD, ids=lambda file: file.stem)
def test_it_is_refused_with_its_line_and_nothing_else(file: Path) -> None:
    _, faults = faults_of(file.read_bytes())
    assert {line for line, _ in faults} == {line_of(file)}
    with pytest.raises(SettingError, match=re.escape(f"{file}: line {line_of(file)}: ")):
        parse(file.read_bytes(), str(file))


@pytest.mark.zeek
def test_zeek_reads_them_so_too(zeek: Path, tmp_path: Path) -> None:
    scripts = (TESTS.parent / "zeek" / "policy.zeek", Path(__file__).with_name("read.zeek"))
    environment = os.environ | {"POLICIES": "\n".join(map(str, GOOD + BAD))}
    run = subprocess.run(
        [zeek, *scripts, "exit_only_after_terminate=T"],
        cwd=tmp_path, env=environment, timeout=60, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    said = {each.pop("path"): each for each in map(json.loads, (tmp_path / "read.json").read_text().splitlines())}
    assert len(said) == len(GOOD) + len(BAD)
    for file in GOOD:
        assert "problem" not in said[str(file)], (file, said[str(file)])
        assert canonical(said[str(file)]) == meaning_of(file), file
    for file in BAD:
        assert said[str(file)].get("problem", "accepted").startswith(f"line {line_of(file)}:"), (file, said[str(file)])


def canonical(said: dict[str, Any]) -> dict[str, Any]:
    """Zeek's JSON leaves out what is not set, and has no order in sets."""
    acts = said.pop("acts")
    for each in acts:
        each["act"] = dict.fromkeys(ACT_KEYS) | each["act"]
    said["leave_alone"].sort()
    said["classes"] = {name: {"mark": None, "tc": None} | each for name, each in said["classes"].items()}
    said["labels"] = {each["label"]: each["act"] for each in acts if each["what"] == "label"}
    special = {each["what"]: each["act"] for each in acts if each["what"] != "label"}
    return said | {name: special.get(name) for name in ("unknown", "server name contradicted")}
