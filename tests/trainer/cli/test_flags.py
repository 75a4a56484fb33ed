from __future__ import annotations

import argparse
import os

import pytest

from eacf.errors import SettingError
from eacf_trainer.cli import flags


@pytest.fixture
def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser()
    flags.labels_flag(made)
    flags.crew_flags(made)
    return made


def test_who_works(parser: argparse.ArgumentParser) -> None:
    options = parser.parse_args([])
    assert (options.labels, options.dask, flags.jobs(options)) == ("domains", None, len(os.sched_getaffinity(0)))
    options = parser.parse_args(["--jobs", "3", "--dask"])
    assert (options.dask, flags.jobs(options)) == ("local", 3)
    assert parser.parse_args(["--dask", "tcp://x:8786"]).dask == "tcp://x:8786"
    for count in ("0", "-2"):
        with pytest.raises(SettingError, match=f"--jobs {count}: must be a number of 1 or more"):
            flags.jobs(parser.parse_args(["--jobs", count]))


def test_no_bar_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with flags.progress("models") as tell:
        tell(1, 2, "x")
    assert capsys.readouterr() == ("", "")
