"""A dataset's samples as arrays in files."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from eacf.features import Paper
from eacf.features.bins import ABSENT as NO_VALUE
from eacf_trainer import bank
from eacf_trainer.bank import Bank
from eacf_trainer.dataset import Dataset
from eacf_trainer.flows import ABSENT, Flows
from eacf_trainer.recipe import Recipe


def test_rows_are_the_lengths_of_each_connection(site: Dataset, found: Flows, banked: Path, tiny: Recipe) -> None:
    held = Bank.open(banked, tiny.input.cuts)
    for cut in tiny.input.cuts:
        rows = found.rows[cut]
        assert np.array_equal(held.there[cut], rows != ABSENT)
        assert (held.arrays[cut][~held.there[cut]] == NO_VALUE).all()
        place = {row: number for number, row in enumerate(rows.tolist()) if row != ABSENT}
        for taken, samples in site.samples(np.sort(rows[rows != ABSENT])):
            for row, sample in zip(taken.tolist(), samples, strict=True):
                kept = held.arrays[cut][place[row]]
                assert kept[kept != NO_VALUE].tolist() == sample.records[: bank.MOST_RECORDS]


def test_payload_features_are_their_own_rows(site: Dataset, found: Flows, tiny: Recipe, tmp_path: Path) -> None:
    settings = replace(tiny.input, features="paper", len_bytes=64, cuts=("stream",))
    held = Bank.open(bank.prepare(site, found, settings, tmp_path), settings.cuts)
    rows = found.rows["stream"]
    ((taken, samples),) = list(site.samples(rows[:5]))
    assert taken.tolist() == rows[:5].tolist()
    assert np.array_equal(held.arrays["stream"][:5], Paper(64).encode(samples))


def test_it_is_made_once_and_again_where_it_is_half(site: Dataset, found: Flows, tiny: Recipe, tmp_path: Path) -> None:
    folder = bank.prepare(site, found, tiny.input, tmp_path)
    files = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert set(files) == {"records.npy", "records.there.npy", "stream.npy", "stream.there.npy"}
    assert bank.prepare(site, found, replace(tiny.input, records=2, bins=8), tmp_path) == folder
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == files
    whole = (folder / "records.npy").read_bytes()
    (folder / "records.there.npy").unlink()  # as a kill leaves it
    (folder / "records.npy").write_bytes(whole[:100])
    bank.prepare(site, found, tiny.input, tmp_path)
    assert (folder / "records.npy").read_bytes() == whole
    assert bank.prepare(site, found, replace(tiny.input, cuts=("records",)), tmp_path) != folder


FULL = """
import resource, signal, sys
from pathlib import Path
from eacf_trainer import bank, flows, recipe
from eacf_trainer.dataset import Dataset
from eacf.labels import LabelRules
site = Dataset.open(Path(sys.argv[1]))
made = recipe.Recipe("x", labels=recipe.Labels(least_flows=5))
found = flows.read(site, LabelRules.named("testbed"), made.labels)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    bank.prepare(site, found, made.input, Path(sys.argv[2]))
except OSError as error:
    print("told", error.errno)
"""


def test_a_full_disk_is_an_error_and_no_crash(site: Dataset, tmp_path: Path) -> None:
    command = [sys.executable, "-c", FULL, str(site.folder), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split()[:1]) == (0, ["told"]), done.stderr
    assert not list(tmp_path.rglob("*.there.npy"))


@pytest.mark.parametrize("features", ["paper", "payload", "gaps"])
def test_features_that_nothing_is_learnt_for(tiny: Recipe, features: str) -> None:
    made = bank.fixed(replace(tiny.input, features=features, len_bytes=99, gaps=7))  # type: ignore[arg-type]
    assert made is not None
    assert made.shape == (28 if features == "gaps" else 99,)
    assert bank.fixed(tiny.input) is None
