"""The package as a user loads it, by name: the scripts under btest/, each with what it is to write."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "btest"
PROGRAMS = Path(sys.executable).parent
"""Where btest and eacf are, beside Python."""


@pytest.mark.parametrize("name", sorted(path.name for path in (FOLDER / "tests").glob("*.zeek")))
def test_btest(name: str, tmp_path: Path) -> None:
    plain = {key: value for key, value in os.environ.items() if not key.startswith("EACF_")}
    command = [PROGRAMS / "btest", "-d", "-c", "btest.cfg", "-s", f"TmpDir={tmp_path}/run"]
    command += ["-s", f"StateFile={tmp_path}/failed", f"tests/{name}"]
    done = subprocess.run(
        command,
        cwd=FOLDER,
        env=plain | {"PATH": f"{PROGRAMS}:{plain['PATH']}"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "all 1 tests successful" in done.stdout
