"""systemd's units and the files of configuration that come with them, asked of systemd's own programs and of the commands they start."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from eacf.cli.command import parser as serving
from eacf.settings import SETTINGS, resolve
from eacf_trainer.cli.command import parser as training
from eacf_trainer.watch import settings as watch

PACKAGING = Path(__file__).resolve().parents[2] / "packaging"
UNITS = sorted((PACKAGING / "systemd").glob("*.service"))
EXPOSED = 3.0
"""What `systemd-analyze security` may say at most."""
each_unit = pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)


def values(unit: Path) -> dict[str, str]:
    """The last value of each key."""
    return dict(line.split("=", 1) for line in unit.read_text().splitlines() if re.match(r"\w+=", line))


def commands(unit: Path) -> list[str]:
    """What it starts, with the words that systemd would put in."""
    return [line.split("=", 1)[1] for line in unit.read_text().splitlines() if line.startswith("ExecStart=")]


def analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze, and there is none: apt-get install systemd")
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, timeout=60, check=False)


def test_there_are_units() -> None:
    assert {"eacf-worker@.service", "eacf-collect.service", "eacf-watch.service", "eacf-enforce.service"} <= {
        unit.name for unit in UNITS
    }


@each_unit
def test_little_is_exposed(unit: Path) -> None:
    said = analyze("security", "--offline=yes", "--no-pager", unit).stdout
    found = re.search(r"exposure level for \S+: ([\d.]+)", said)
    assert found is not None, said
    assert float(found[1]) <= EXPOSED


@each_unit
def test_systemd_understands_it(unit: Path) -> None:
    done = analyze("verify", "--man=no", unit)
    complaints = [line for line in done.stderr.splitlines() if unit.stem.split("@")[0] in line]
    # The programs are the package's, which is not installed here.
    assert [line for line in complaints if not re.search(r"Command /usr/bin/eacf\S* is not executable", line)] == []


@each_unit
def test_each_is_watched_bounded_and_started_again(unit: Path) -> None:
    said = values(unit)
    assert (said["Type"], said["Restart"], said["RestartPreventExitStatus"]) == ("notify", "on-failure", "2")
    assert int(said["WatchdogSec"]) >= 30
    assert {"MemoryMax", "CPUQuota", "TasksMax", "StateDirectory", "ConfigurationDirectory", "User"} <= said.keys()
    assert said["User"] != "root"


def test_the_agent_alone_has_a_capability_and_a_user_of_its_own() -> None:
    said = {unit.name: values(unit) for unit in UNITS}
    capable = {name for name, keys in said.items() if keys["CapabilityBoundingSet"]}
    assert capable == {"eacf-enforce.service"}
    agent = said.pop("eacf-enforce.service")
    assert agent["CapabilityBoundingSet"] == agent["AmbientCapabilities"] == "CAP_NET_ADMIN"
    assert agent["User"] not in {keys["User"] for keys in said.values()}


@each_unit
def test_its_users_are_made_by_the_package(unit: Path, tmp_path: Path) -> None:
    users = (PACKAGING / "deb/debian/eacf.sysusers").read_text()
    assert f"u {values(unit)['User']} " in users
    if shutil.which("systemd-sysusers") is None:
        pytest.skip("needs systemd-sysusers, and there is none: apt-get install systemd")
    (tmp_path / "etc").mkdir()
    command = ["systemd-sysusers", "--dry-run", f"--root={tmp_path}", PACKAGING / "deb/debian/eacf.sysusers"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert f"'{values(unit)['User']}'" in done.stderr + done.stdout


@each_unit
def test_its_command_is_one(unit: Path) -> None:
    for command in commands(unit):
        words = shlex.split(command.replace("$$", "$"))
        if words[0] == "/bin/sh":
            words = shlex.split(words[-1].rsplit("exec ", 1)[1])
        program, *arguments = [word for word in words if not re.fullmatch(r"\$[A-Z_]+", word)]
        if unit.name == "eacf-relay.service":
            arguments += ["--listen", "tcp://192.0.2.1:5557"]  # where that is an operator must say
        known = {"/usr/bin/eacf": serving, "/usr/bin/eacf-train": training}[program]()
        assert callable(known.parse_args(arguments).run)


@pytest.mark.parametrize(("own", "taken"), [(True, "worker-a.toml"), (False, "worker.toml")])
def test_a_worker_has_a_file_of_its_own_or_the_common_one(own: bool, taken: str, tmp_path: Path) -> None:
    (command,) = commands(PACKAGING / "systemd/eacf-worker@.service")
    for name in ["worker.toml"] + ["worker-a.toml"] * own:
        (tmp_path / name).touch()
    words = shlex.split(command.replace("%i", "a").replace("$$", "$").replace("/etc/eacf", str(tmp_path)))
    words[-1] = words[-1].replace("exec /usr/bin/eacf", "exec echo")
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == f"worker --config {tmp_path / taken}\n"


def uncommented(path: Path) -> str:
    """The file with its examples in force."""
    return re.sub(r"^# (?=\[|\w+ = )", "", path.read_text(), flags=re.MULTILINE)


def test_the_workers_file_says_the_defaults_and_its_examples_are_allowed(tmp_path: Path) -> None:
    path = PACKAGING / "etc/worker.toml"
    assert tomllib.loads(path.read_text()) == {}
    examples = tmp_path / "worker.toml"
    examples.write_text(uncommented(path))
    said = tomllib.loads(examples.read_text())
    assert len(said) >= 5
    resolve(examples, {}, {})
    for key in ("subscribe_endpoint", "publish_endpoint"):
        assert said[key] == SETTINGS[key].default


def test_the_watchers_file_says_the_defaults_and_its_examples_are_allowed(tmp_path: Path) -> None:
    path = PACKAGING / "etc/watch.toml"
    assert watch.resolve(path, {}) == watch.Settings()
    examples = tmp_path / "watch.toml"
    examples.write_text(uncommented(path))
    taken = watch.resolve(examples, {})
    assert taken.delivery.key == "/var/lib/eacf/keys/ops.key"
    assert (taken.triggers, taken.process) == (watch.Settings().triggers, watch.Settings().process)
    unit = (PACKAGING / "systemd/eacf-watch.service").read_text()
    assert "MemoryMax=3G" in unit
    assert taken.process.memory_mb < 2500


@pytest.mark.parametrize(
    "name", ["eacf.postinst", "eacf.prerm", "eacf.postrm", "eacf-trainer.postinst", "eacf-trainer.prerm"]
)
def test_maintainer_scripts_are_shell(name: str) -> None:
    path = PACKAGING / "deb/debian" / name
    assert "#DEBHELPER#" in path.read_text()
    subprocess.run(["sh", "-n", path], timeout=60, check=True)
