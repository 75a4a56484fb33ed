"""`eacf policy check` as a shell runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from eacf.policy import read

POLICIES = Path(__file__).resolve().parents[1] / "policies"
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("EACF_")}
BAD = 'mode = "live"\n[label.video]\npriority = "urgent"\n[label.chat]\n'


def check(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "eacf", "policy", "check", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=CLEAN)


def test_a_good_one_is_told(tmp_path: Path) -> None:
    file = tmp_path / "p.toml"
    file.write_text('[label.video]\ndscp = "ef"\n[label.chta]\nblock = true\n')
    done = check(file, "--bundle", "testbed")
    assert done.returncode == 0
    assert "  1. label chta with confidence 0.9 or more: the connection is dropped, for 1 hour\n" in done.stdout
    assert "no table is for: api-polling, bulk-upload, chat, code-fetch" in done.stdout
    assert done.stderr == f"eacf: {file}: warning: label chta: bundle testbed 2 has no label chta; is chat meant?\n"


def test_for_programs() -> None:
    file = POLICIES / "good" / "full.toml"
    done = check(file, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == {"file": str(file), "policy": read(file).document(), "warnings": []}


def test_a_bad_one_is_told_whole(tmp_path: Path) -> None:
    file = tmp_path / "p.toml"
    file.write_text(BAD)
    done = check(file)
    assert (done.returncode, done.stdout) == (2, "")
    assert [line.split(": ")[:3] for line in done.stderr.splitlines()] == [
        ["eacf", str(file), "line 1"],
        [str(file), "line 3", '[label.video] priority = "urgent"'],
        [str(file), "line 4", "[label.chat]"],
    ]
    done = check(file, "--json")
    assert (done.returncode, done.stderr) == (2, "")
    document = json.loads(done.stdout)
    assert (document["file"], [each["line"] for each in document["faults"]]) == (str(file), [1, 3, 4])


def test_files_that_are_not_there(tmp_path: Path) -> None:
    done = check(tmp_path / "p.toml")
    assert (done.returncode, "cannot be read" in done.stderr) == (2, True)
    done = check(POLICIES / "good" / "full.toml", "--bundle", "offcie")
    assert (done.returncode, "no such file; name a bundle" in done.stderr) == (2, True)
