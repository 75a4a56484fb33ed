"""What every part of the bench is told: where things are, on which cores they run, how often each is measured."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
SHARED = Path(os.environ.get("EACF_SHARED", REPOSITORY.parent / "shared"))
"""Real captures and the recordings of their samples."""


class VoidError(Exception):
    """A figure that cannot be given; says why. What was measured up to here is not one."""


@dataclass(frozen=True)
class Machine:
    """Everything in by argument."""

    zeek: Path
    package: Path
    """Folder of the Zeek package."""
    work: Path
    """Captures are made and kept here; runs have a folder of their own below it."""
    pairs: int
    """How often each variant is measured beside Zeek without the package."""

    @property
    def zeek_core(self) -> int:
        """The one that Zeek and all its threads run on."""
        return min(os.sched_getaffinity(0))

    @property
    def other_cores(self) -> set[int]:
        """Where everything else runs; the same one where there is only one."""
        return os.sched_getaffinity(0) - {self.zeek_core} or {self.zeek_core}

    def facts(self) -> dict[str, object]:
        """What the figures are measured on; `load_average` before anything of ours runs tells who else was there."""
        said = subprocess.run([self.zeek, "--version"], check=True, capture_output=True, text=True).stdout
        return {
            "cores": os.cpu_count(),
            "load_average": os.getloadavg()[0],
            "machine": platform.machine(),
            "pairs": self.pairs,
            "python": platform.python_version(),
            "zeek": said.split()[-1],
        }

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """An empty folder for one run. It stays after an error, so that its logs can be read."""
        below = self.work / "runs"
        below.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(dir=below))
        yield made
        shutil.rmtree(made)


def find_zeek() -> Path | None:
    """`zeek` on the PATH."""
    found = shutil.which("zeek")
    return Path(found) if found else None


def say(text: str) -> None:
    """A word on how far it is."""
    print(text, file=sys.stderr, flush=True)
