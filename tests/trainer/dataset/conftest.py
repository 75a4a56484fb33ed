"""Captures that are collected once, and datasets built of them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from eacf.collector import Collected, collect
from eacf.flow import Needs, Sample
from eacf.recording import line
from eacf_trainer import testbed
from eacf_trainer.dataset import Dataset, Options, build, serial

STREAM, RECORDS = Needs(), Needs(0, records=16, chunks=False)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of three captures of 15 connections; do not write there."""
    folder = tmp_path_factory.mktemp("made") / "office"
    for number, name in enumerate(("monday/a.pcap", "monday/b.pcap", "tuesday/c.pcap")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        testbed.generate(folder / name, seed=900 + number, connections=15, background_share=0.2)
    return folder


@pytest.fixture
def office(made: Path, tmp_path: Path) -> Path:
    """The same to do with as one likes."""
    return Path(shutil.copytree(made, tmp_path / "office"))


@pytest.fixture(scope="session")
def built(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The dataset of `made`."""
    return build([made], tmp_path_factory.mktemp("built") / "dataset", Options(), runner=serial)


@pytest.fixture(scope="session")
def collected(made: Path) -> list[Collected]:
    """What the collector gives of `made`, capture by capture in the order of their names."""
    return [found for path in sorted(made.rglob("*.pcap")) for found in collect(path, STREAM, also=RECORDS)]


def samples_of(dataset: Dataset) -> list[Sample]:
    return [sample for _, samples in dataset.samples() for sample in samples]


@pytest.fixture
def whole() -> Callable[[Dataset], list[Sample]]:
    """All samples of a dataset."""
    return samples_of


@pytest.fixture
def recorded() -> Callable[[Iterable[Sample]], bytes]:
    """The lines of a recording of these samples."""

    def make(samples: Iterable[Sample]) -> bytes:
        return b"".join(line(b"eacf.tap.0123456789ab", "zeek-1", "eacf.verdict.zeek.", each) for each in samples)

    return make
