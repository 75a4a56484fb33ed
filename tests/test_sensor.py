"""The Zeek of this machine: what is found where there is none, an old one, and a real one."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from eacf import sensor
from eacf.errors import SettingError


def say(folder: Path, text: str, code: int = 0) -> None:
    """Put a program `zeek` there that says this whatever it is asked."""
    program = folder / "zeek"
    program.write_text(f"#!{sys.executable}\nprint({text!r})\nraise SystemExit({code})\n")
    program.chmod(0o755)


@pytest.mark.parametrize(
    ("said", "version", "fits"),
    [
        ("zeek version 8.0.10", (8, 0, "8.0.10"), True),
        ("/opt/zeek/bin/zeek version 8.1.0-dev.77-debug", (8, 1, "8.1.0-dev.77-debug"), True),
        ("zeek version 7.2.1", (7, 2, "7.2.1"), False),
        ("bro version 2.6", (2, 6, "2.6"), False),
        ("10.0", (10, 0, "10.0"), True),
    ],
)
def test_versions(said: str, version: tuple[int, int, str], fits: bool) -> None:
    found = sensor.version_of(said)
    assert found == version
    assert found is not None
    assert found.fits == fits
    assert sensor.version_of("no version, 8") is None


def test_no_zeek_or_one_that_does_not_fit_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert sensor.find_zeek() is None
    with pytest.raises(SettingError, match=r"no zeek on the PATH: install Zeek 8\.0 or newer"):
        sensor.fit_zeek()
    say(tmp_path, "zeek version 7.0.1")
    with pytest.raises(SettingError, match=re.escape(f"{tmp_path}/zeek is Zeek 7.0.1, eacf's scripts need 8.0")):
        sensor.fit_zeek()
    say(tmp_path, "zeek version 8.0.1", code=1)
    with pytest.raises(SettingError, match="does not say its version"):
        sensor.fit_zeek()
    say(tmp_path, "zeek version 8.0.1")
    assert sensor.fit_zeek() == tmp_path / "zeek"


def test_our_scripts_are_found() -> None:
    assert (sensor.zeek_scripts() / "__load__.zeek").is_file()


@pytest.mark.zeek
def test_a_real_zeek_is_asked(zeek: Path) -> None:
    assert sensor.fit_zeek() == zeek
    assert sensor.has_zeromq(zeek)
    assert sensor.ask_zeek(zeek, "-a", "-e", f"@load {sensor.zeek_scripts()}") is not None
    assert sensor.ask_zeek(zeek, "-a", "-e", "@load no-such-thing") is None
