"""What is installed: with programs named `zeek` that behave like one in so far as they are asked, and with a real one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from eacf import bundle, sensor
from eacf.doctor import Finding, machine


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a program `zeek` is found and no other; not there yet."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path / "zeek"


def write(
    program: Path,
    *,
    version: str = "8.0.10",
    plugins: str = sensor.ZEROMQ,
    names: str = "eacf",
    complaint: str = "fatal error: can't find eacf",
) -> None:
    program.write_text(
        f"""#!{sys.executable}
import sys
if sys.argv[1:] == ["--version"]:
    print("zeek version {version}")
elif sys.argv[1:] == ["-N"]:
    print("{plugins} - Cluster backend using ZeroMQ (built-in)")
else:
    print("{complaint}", file=sys.stderr)
    sys.exit(sys.argv[1:3] != ["-a", "-e"] or sys.argv[3].removeprefix("@load ") not in "{names}".split(","))
"""
    )
    program.chmod(0o755)


def states(found: list[Finding]) -> list[tuple[str, str]]:
    return [(each.check, each.state) for each in found]


def test_no_zeek_is_a_warning_only(program: Path) -> None:
    (found,) = machine.zeek()
    assert (found.check, found.state) == ("zeek program", "warning")
    assert "another machine" in found.remedy


def test_a_zeek_that_fits(program: Path) -> None:
    write(program)
    found = list(machine.zeek())
    assert states(found) == [("zeek program", "ok"), ("zeek backend", "ok"), ("zeek package", "ok")]
    assert f"{program} is 8.0.10" in found[0].seen
    write(program, names="packages/eacf")
    assert "`@load packages/eacf` works" in list(machine.zeek())[2].seen


@pytest.mark.parametrize("version", ["7.0.9", "none at all"])
def test_a_zeek_that_does_not_fit(version: str, program: Path) -> None:
    write(program, version=version)
    assert states(list(machine.zeek())) == [("zeek program", "problem")]


def test_a_zeek_that_cannot_be_run(program: Path) -> None:
    program.write_text("no program")
    program.chmod(0o755)
    assert states(list(machine.zeek())) == [("zeek program", "problem")]


def test_a_zeek_without_the_bus_or_the_package(program: Path) -> None:
    write(program, plugins="Zeek::AF_Packet", names="")
    _, backend, package = machine.zeek()
    assert (backend.state, "libzmq" in backend.remedy) == ("problem", True)
    assert (package.state, f"@load {sensor.zeek_scripts()}" in package.remedy) == ("warning", True)


def test_a_package_that_does_not_load(program: Path) -> None:
    write(program, names="", complaint="error in eacf/main.zeek, line 7: \\x1b[2J syntax error")
    package = list(machine.zeek())[2]
    assert package.state == "problem"
    assert "cannot load it: error in eacf/main.zeek, line 7: ?[2J syntax error" in package.seen


@pytest.mark.zeek
def test_a_real_zeek(zeek: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ZEEKPATH", raising=False)
    assert [each.state for each in machine.zeek()][:2] == ["ok", "ok"]
    (tmp_path / "eacf").symlink_to(sensor.zeek_scripts())
    monkeypatch.setenv("ZEEKPATH", f"{tmp_path}:{zeek_path(zeek)}")
    found = list(machine.zeek())
    assert states(found) == [("zeek program", "ok"), ("zeek backend", "ok"), ("zeek package", "ok")]
    (tmp_path / "eacf").unlink()
    (tmp_path / "eacf.zeek").write_text("this is no script")
    (broken,) = [each for each in machine.zeek() if each.check == "zeek package"]
    assert (broken.state, "cannot load it" in broken.seen) == ("problem", True)
    (tmp_path / "eacf.zeek").unlink()
    (missing,) = [each for each in machine.zeek() if each.check == "zeek package"]
    assert missing.state == "warning"


def zeek_path(zeek: Path) -> str:
    """Where that Zeek looks for scripts by itself."""
    config = zeek.resolve().with_name("zeek-config")
    return subprocess.run([config, "--zeekpath"], capture_output=True, text=True, check=True).stdout.strip()


def test_the_bundle(tmp_path: Path) -> None:
    found, loaded = machine.bundle(bundle.default_path())
    assert found.state == "ok"
    assert loaded is not None
    assert loaded.id in found.seen
    bad = tmp_path / "bad.eacf"
    bad.write_bytes(b"no bundle")
    found, loaded = machine.bundle(bad)
    assert (found.state, loaded) == ("problem", None)
    assert "bad.eacf" in found.seen
    assert "eacf bundle show" in found.remedy


def test_the_runtime() -> None:
    assert machine.runtime().state == "ok"
