from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from eacf.errors import SettingError
from eacf_trainer.dataset import Cluster, Dataset, DatasetError, Options, build, cluster

distributed = pytest.importorskip("distributed")


@pytest.fixture
def scheduler() -> Iterator[str]:
    """Address of a cluster that runs: one worker, in this process."""
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, protocol="tcp", dashboard_address=None
    ) as running:
        yield running.scheduler_address


@pytest.mark.slow
def test_a_cluster_of_this_machine_gives_the_same(made: Path, tmp_path: Path, built: Dataset) -> None:
    assert build([made], tmp_path / "out", Options(), runner=Cluster(jobs=1)).id == built.id


def test_a_cluster_by_address_gives_the_same(made: Path, tmp_path: Path, built: Dataset, scheduler: str) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "bad.pcap").write_bytes(b"no capture")
    dataset = build([made], tmp_path / "out", Options(), runner=Cluster(scheduler))
    assert dataset.id == built.id
    more = build([made, tmp_path / "more"], tmp_path / "out", Options(), runner=Cluster(scheduler))
    assert (more.id, [name for name, _ in more.index.skipped]) == (built.id, ["more/bad.pcap"])


def test_nothing_to_do_needs_no_cluster(made: Path, tmp_path: Path, built: Dataset) -> None:
    assert list(Cluster("tcp://127.0.0.1:1")([], lambda count: None)) == []


def test_a_part_that_cannot_be_written_is_told(tmp_path: Path, made: Path, scheduler: str) -> None:
    runner = Cluster(scheduler)

    def spoilt(tasks, progress):  # type: ignore[no-untyped-def]
        for path in (tmp_path / "out" / "parts").parent.iterdir():
            if path.is_dir():
                path.rmdir()
        return runner(tasks, progress)

    with pytest.raises(DatasetError, match=r"out/parts: No such file or directory \(at office/.*make room there"):
        build([made], tmp_path / "out", Options(), runner=spoilt)


def test_no_scheduler_is_told(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "CONNECT_S", 0.3)
    with pytest.raises(SettingError, match=r"--dask tcp://127.0.0.1:1: no scheduler answers .* leave the address out"):
        build([made], tmp_path / "out", Options(), runner=Cluster("tcp://127.0.0.1:1"))
    with pytest.raises(SettingError, match="--dask nonsense://x: no scheduler answers"):
        build([made], tmp_path / "out", Options(), runner=Cluster("nonsense://x"))


def test_without_dask_the_remedy_is_told(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(SettingError, match=r"Dask is not installed; pip install 'eacf\[dask\]'"):
        build([made], tmp_path / "out", Options(), runner=Cluster())
