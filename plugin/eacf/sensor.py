"""The Zeek of this machine: its program, what it can do, and where our scripts for it are."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from eacf.errors import SettingError

OLDEST = (8, 0)
"""Version of Zeek that the scripts are written for, or newer."""
ZEROMQ = "Zeek::Cluster_Backend_ZeroMQ"
"""The plugin that speaks the bus, as ``zeek -N`` names it."""
PACKAGE_NAMES = ("eacf", "packages/eacf")
"""What the scripts may be loaded by once they are installed; zkg links them into ``packages`` of the site folder."""
NOT_FOUND = "can't find"
"""What Zeek says where nothing of that name is on the ZEEKPATH."""
COMPLAINT = 500
"""Characters of what Zeek complains of that are kept."""
ANSWER_S = 60.0
"""Zeek has so long to parse its scripts on a busy machine."""

GET_ZEEK = "install Zeek 8.0 or newer (zeek.org has packages), or put its bin folder on the PATH"


class Version(NamedTuple):
    """Of a Zeek."""

    major: int
    minor: int
    said: str
    """In its own words, as in ``8.0.10`` or ``8.1.0-dev.3``."""

    @property
    def fits(self) -> bool:
        """Whether our scripts run on it."""
        return (self.major, self.minor) >= OLDEST


def version_of(said: str) -> Version | None:
    """The version in what Zeek says of itself; None where there is none."""
    found = re.search(r"(\d{1,4})\.(\d{1,4})[\w.+-]{0,40}", said)
    return Version(int(found[1]), int(found[2]), found[0]) if found else None


def zeek_scripts() -> Path:
    """The folder of our scripts for Zeek: beside this package once it is installed, at the root of a checkout.

    SettingError where there is none.
    """
    here = Path(__file__).resolve().parent
    for folder in (here / "zeek", here.parents[1] / "zeek"):
        if (folder / "__load__.zeek").is_file():
            return folder
    raise SettingError(f"the scripts for Zeek are not at {here / 'zeek'}: install eacf again")


def find_zeek() -> Path | None:
    """The program `zeek` on the PATH."""
    program = shutil.which("zeek")
    return None if program is None else Path(program)


def fit_zeek() -> Path:
    """The program `zeek` on the PATH; SettingError, with the remedy, where there is none that runs our scripts."""
    program = find_zeek()
    if program is None:
        raise SettingError(f"there is no zeek on the PATH: {GET_ZEEK}")
    version = version_of(ask_zeek(program, "--version") or "")
    if version is None:
        raise SettingError(f"{program} does not say its version: {GET_ZEEK}")
    if not version.fits:
        raise SettingError(f"{program} is Zeek {version.said}, eacf's scripts need {OLDEST[0]}.{OLDEST[1]}: {GET_ZEEK}")
    return program


def has_zeromq(program: Path) -> bool:
    """Whether this Zeek was built with what speaks the bus."""
    return ZEROMQ in (ask_zeek(program, "-N") or "")


class Package(NamedTuple):
    """Whether a Zeek finds our scripts by name."""

    name: str | None
    """The name that works; None: none does."""
    complaint: str
    """What Zeek says where it finds the scripts and cannot parse them; else empty."""


def package_of(program: Path) -> Package:
    """Looks for our scripts with the ZEEKPATH of this shell."""
    for name in PACKAGE_NAMES:
        done = _run(program, "-a", "-e", f"@load {name}")
        if done is not None and done.returncode == 0:
            return Package(name, "")
        if done is not None and NOT_FOUND not in done.stderr:
            return Package(None, " / ".join(plain_lines(done.stderr))[:COMPLAINT])
    return Package(None, "")


def ask_zeek(program: Path, *arguments: str) -> str | None:
    """What Zeek prints, run in an empty folder; None where it fails or does not answer."""
    done = _run(program, *arguments)
    return None if done is None or done.returncode else done.stdout


def _run(program: Path, *arguments: str) -> subprocess.CompletedProcess[str] | None:
    try:
        with tempfile.TemporaryDirectory(prefix="eacf-") as folder:
            return subprocess.run(
                [program, *arguments],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=ANSWER_S,
                check=False,
            )
    except (OSError, subprocess.TimeoutExpired):
        return None


def plain_lines(said: str) -> Iterator[str]:
    """Lines of a program's output without what could steer a terminal."""
    for line in said.splitlines():
        yield "".join(character if character.isprintable() else "?" for character in line)
