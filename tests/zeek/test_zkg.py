"""`zkg install` of the repository, into folders of its own, and then Zeek finds the package by name. Without a network."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAMS = Path(sys.executable).parent
"""Where zkg, btest and eacf are, beside Python."""
PACKAGE = ("zkg.meta", "zeek", "tests/zeek/btest", "trainer/demo")
"""What zkg uses of the repository."""
CONFIG = """
[sources]

[paths]
state_dir = {0}/state
script_dir = {0}/scripts
plugin_dir = {0}/plugins
bin_dir = {0}/bin
zeek_dist =
"""


def run(command: list[str | Path], cwd: Path, **environment: str) -> str:
    """What the command says; it must do well."""
    plain = {
        name: value for name, value in os.environ.items() if not name.startswith(("EACF_", "ZEEK", "GIT_", "ZKG_"))
    }
    done = subprocess.run(
        command,
        cwd=cwd,
        env=plain | {"PATH": f"{PROGRAMS}:{plain['PATH']}"} | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture
def package(repository: Path, tmp_path: Path) -> Path:
    """A clone of the working tree as it is; its name is not the package's, so that the alias counts."""
    folder = tmp_path / "clone"
    for name in PACKAGE:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if (repository / name).is_dir():
            ignored = shutil.ignore_patterns(".tmp", ".btest*")
            shutil.copytree(repository / name, folder / name, symlinks=True, ignore=ignored)
        else:
            shutil.copy(repository / name, folder / name)
    for command in ("init -q -b main", "add -A", "-c user.name=test -c user.email=test@localhost commit -q -m package"):
        run(["git", *command.split()], folder)
    return folder


@pytest.mark.slow
def test_zkg_installs_the_package_and_flows_get_labels(package: Path, repository: Path, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(CONFIG.format(tmp_path))
    zkg: list[str | Path] = [PROGRAMS / "zkg", "--configfile", config]
    run([*zkg, "install", "--force", package], tmp_path)  # runs the btests, too
    assert re.search(r"clone .*installed", run([*zkg, "list", "installed"], tmp_path))
    said = dict(re.findall(r"export (\w+)=(.*)", run([*zkg, "env"], tmp_path)))

    (tmp_path / "run").mkdir()
    (tmp_path / "demo.pcap").write_bytes(gzip.decompress((repository / "trainer/demo/demo.pcap.gz").read_bytes()))
    with_worker = repository / "tests/zeek/btest/bin/with-worker"
    # `.` first, as zkg has it, is the empty folder.
    zeek: list[str | Path] = [with_worker, "zeek", "-C", "-r", "../demo.pcap", "eacf", "LogAscii::use_json=T"]
    run(zeek, tmp_path / "run", ZEEKPATH=said["ZEEKPATH"])
    lines = [json.loads(line) for line in (tmp_path / "run" / "eacf.log").read_text().splitlines()]
    assert len(lines) > 50
    assert all("label" in line or line["reason"] == "abstained" for line in lines)
    # And every package at once, as `@load packages` does.
    run(["zeek", "-a", "packages"], tmp_path / "run", ZEEKPATH=said["ZEEKPATH"])


@pytest.mark.slow
def test_a_bundle_installs_where_there_is_no_network(package: Path, tmp_path: Path) -> None:
    folders = {name: tmp_path / name for name in ("here", "there")}
    zkg: dict[str, list[str | Path]] = {}
    for name, folder in folders.items():
        folder.mkdir()
        (folder / "config").write_text(CONFIG.format(folder))
        zkg[name] = [PROGRAMS / "zkg", "--configfile", folder / "config"]
    run([*zkg["here"], "install", "--force", "--skiptests", package], tmp_path)
    bundle = tmp_path / "eacf.bundle"
    run([*zkg["here"], "bundle", "--force", bundle], tmp_path)
    assert 10_000 < bundle.stat().st_size < 20_000_000
    shutil.rmtree(package)  # where it came from is out of reach
    run([*zkg["there"], "unbundle", "--force", bundle], tmp_path)
    said = dict(re.findall(r"export (\w+)=(.*)", run([*zkg["there"], "env"], tmp_path)))
    (tmp_path / "run").mkdir()
    run(["zeek", "-a", "eacf"], tmp_path / "run", ZEEKPATH=said["ZEEKPATH"])
    assert (folders["there"] / "scripts/packages/clone/dpd.sig").is_file()
