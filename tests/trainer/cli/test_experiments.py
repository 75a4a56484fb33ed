"""The command on a small dataset of the testbed, as a user calls it but for the parser around it."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from eacf.errors import SettingError
from eacf_trainer import testbed
from eacf_trainer.cli import experiments
from eacf_trainer.dataset import Options, Pool, build
from eacf_trainer.experiments.settings import LIGHT, ExperimentError, Settings

QUICK = [
    "--labels=testbed",
    "--min-flows=10",
    "--min-captures=2",
    "--sizes=64,128",
    "--epochs=1",
    "--seeds=1",
    "--folds=2",
]
QUICK += ["--jobs=1"]


def called(*arguments: object) -> int:
    parser = argparse.ArgumentParser()
    experiments.add(parser.add_subparsers())
    options = parser.parse_args(["experiments", *map(str, arguments)])
    code: int = options.run(options)
    return code


def settings_of(*arguments: object) -> Settings:
    parser = argparse.ArgumentParser()
    experiments.add(parser.add_subparsers())
    return experiments.settings_of(parser.parse_args(["experiments", "d", "--out", "o", *map(str, arguments)]))


@pytest.fixture(scope="module")
def captures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("captures")
    for seed in range(3):
        testbed.generate(folder / f"{seed}.pcap", seed=seed + 1, connections=60, kinds=("chat", "api-polling", "video"))
    return folder


@pytest.fixture(scope="module")
def dataset(captures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dataset")
    build([captures], folder, Options(), runner=Pool(1))
    return folder


def test_without_a_run_it_says_what_there_would_be(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert called(dataset, "--out", tmp_path / "out", *QUICK, "--no-run") == 0
    assert ": 0 of " in capsys.readouterr().out
    report = (tmp_path / "out" / "report.md").read_text()
    assert "api-polling (" in report
    assert "UNFINISHED" in report


@pytest.mark.slow
def test_a_tiny_run_in_a_process_and_again_from_what_is_kept(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert called(dataset, "--out", out, *QUICK, "--only", "fig4") == 0
    assert ": 6 of 6 cells" in capsys.readouterr().out
    report = (out / "report.md").read_text()
    assert "LIGHTER than the full setting: " in report
    assert "UNFINISHED" not in report
    assert "–" not in report.split("## Fig. 4")[1]
    assert called(dataset, "--out", out, *QUICK, "--only", "fig4") == 0
    assert "6 cells, 6 of them finished before" in capsys.readouterr().err
    assert (out / "report.md").read_text() == report


def test_a_dataset_without_payload_is_refused_with_the_remedy(captures: Path, tmp_path: Path) -> None:
    build([captures], tmp_path / "bare", Options(keep_payload=False), runner=Pool(1))
    with pytest.raises(ExperimentError, match="build it without --no-payload"):
        called(tmp_path / "bare", "--out", tmp_path / "out", *QUICK)


def test_a_dataset_of_record_lengths_alone_is_refused(captures: Path, tmp_path: Path) -> None:
    build([captures], tmp_path / "records", Options(("records",)), runner=Pool(1))
    with pytest.raises(ExperimentError, match="no row has the 'stream' cut"):
        called(tmp_path / "records", "--out", tmp_path / "out", *QUICK)


def test_a_map_that_names_nothing_of_it_is_refused(dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "one.toml").write_text('[labels.one]\nrules = ["+.example.org"]\n')
    with pytest.raises(ExperimentError, match=r"0 labels.*no server name has a label"):
        called(dataset, "--out", tmp_path / "out", *QUICK, "--labels", tmp_path / "one.toml")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--only", "fig9"], "'fig9'; allowed: fig3, fig4, fig5, controls, time"),
        (["--sizes", "64,x"], "--sizes 64,x: must be whole numbers"),
        (["--epochs", "0"], "--epochs 0"),
        (["--jobs", "0"], "--jobs 0"),
    ],
)
def test_a_mistake_in_the_command_is_named(arguments: list[str], said: str, dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=said):
        called(dataset, "--out", tmp_path / "out", *arguments)


def test_options_change_the_setting_and_a_change_downwards_is_told() -> None:
    assert settings_of() == Settings()
    assert settings_of("--light") == LIGHT
    assert settings_of("--seeds", 1).grouped_seeds == 1
    assert settings_of("--sizes", "256,128").sizes == (128, 256)
    assert "epochs 3 instead of 100" in settings_of("--epochs", 3).lighter()
