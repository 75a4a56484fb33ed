"""What is built from the tree: the wheel holds the scripts for Zeek and the manual, and the sdist all that makes the same wheel."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import NamedTuple

import pytest

pytestmark = pytest.mark.slow

FIND = """
import pathlib, eacf.sensor
print(eacf.sensor.zeek_scripts())
print(pathlib.Path(eacf.__file__).parent / "bundles" / "public.eacf")
"""


class Built(NamedTuple):
    """What came of a build, and the fresh Python that built it."""

    python: Path
    wheel: Path
    sdist: Path

    @property
    def wheel_names(self) -> set[str]:
        return set(zipfile.ZipFile(self.wheel).namelist())


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=200, check=False)


def build(python: Path, tree: Path, target: Path) -> Built:
    done = run(python, "-m", "hatchling", "build", "-d", target, cwd=tree)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = target.glob("*.whl")
    (sdist,) = target.glob("*.tar.gz")
    return Built(python, wheel, sdist)


@pytest.fixture(scope="module")
def built(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("build")
    assert run(sys.executable, "-m", "venv", folder / "venv", cwd=folder).returncode == 0
    python = folder / "venv" / "bin" / "python"
    got = run(python, "-m", "pip", "install", "--quiet", "hatchling", "twine", cwd=folder)
    if got.returncode != 0:
        pytest.skip(f"pip cannot get hatchling and twine, which build and check: {got.stderr.strip().splitlines()[-1]}")
    return build(python, repository, folder / "dist")


def test_the_wheel_holds_the_scripts_for_zeek(built: Built, repository: Path) -> None:
    scripts = {f"eacf/zeek/{path.name}" for path in (repository / "zeek").iterdir()}
    assert {"eacf/zeek/__load__.zeek", "eacf/zeek/dpd.sig", "eacf/zeek/options.zeek"} <= scripts
    names = built.wheel_names
    assert scripts == {name for name in names if name.startswith("eacf/zeek/")}
    assert {
        "eacf/bundles/public.eacf",
        "eacf/bundles/testbed.eacf",
        "eacf/labels/maps/services.toml",
        "eacf/py.typed",
    } <= names
    for kind in (
        "cli/__init__.py",
        "recipes/default.toml",
        "shipped/public/weights.npz",
        "report/templates/report.html.j2",
    ):
        assert f"eacf_trainer/{kind}" in names
    data = {name for name in names if ".data/data/share/" in name}
    assert {name.split("/")[0] for name in names - data if "dist-info" not in name} == {"eacf", "eacf_trainer"}
    shared = {name.split(".data/data/share/")[1] for name in data}
    assert {
        "man/man1/eacf.1",
        "man/man1/eacf-worker.1",
        "man/man1/eacf-train-watch.1",
        "bash-completion/completions/eacf-train",
        "zsh/site-functions/_eacf",
        "fish/vendor_completions.d/eacf.fish",
    } <= shared


def test_an_index_would_take_both(built: Built, tmp_path: Path) -> None:
    checked = run(
        built.python, "-m", "twine", "--no-color", "check", "--strict", built.wheel, built.sdist, cwd=tmp_path
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert checked.stdout.count("PASSED") == 2


def test_the_sdist_makes_the_same_wheel(built: Built, tmp_path: Path) -> None:
    with tarfile.open(built.sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (tree,) = tmp_path.glob("eacf-*")
    for name in (
        "zkg.meta",
        "LICENSE",
        "zeek/dpd.sig",
        "tests/zeek/btest/site/eacf/dpd.sig",
        "docs/zeek.md",
        "tests/zeek/btest/btest.cfg",
        "trainer/demo/demo.pcap.gz",
    ):
        assert (tree / name).is_file(), name
    assert not list(tree.rglob(".tmp"))
    again = build(built.python, tree, tmp_path / "dist")
    assert again.wheel_names == built.wheel_names


def test_what_is_installed_finds_its_scripts_and_bundle(built: Built, tmp_path: Path) -> None:
    installed = run(built.python, "-m", "pip", "install", "--quiet", "--no-deps", built.wheel, cwd=tmp_path)
    assert installed.returncode == 0, installed.stderr
    found = run(built.python, "-c", FIND, cwd=tmp_path)
    assert found.returncode == 0, found.stderr
    scripts, bundle = map(Path, found.stdout.splitlines())
    home = built.python.parents[1].resolve()
    assert "eacf-worker \\- serve" in (home / "share/man/man1/eacf-worker.1").read_text()
    assert scripts.is_relative_to(home)
    assert (scripts / "__load__.zeek").is_file()
    assert bundle.is_relative_to(home)
    assert bundle.is_file()
