"""What stands between a connection and its label: each check tells what it saw and, where that is not well, the remedy.

Reading order: `finding`, `machine` (what is installed here), `bus` (whether there is one, and who is on it), `worker` and
`sensor` (what each of them reports of itself).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from eacf.bus import Endpoints
from eacf.doctor import bus, machine
from eacf.doctor.finding import Finding

__all__ = ["Finding", "examine"]


def examine(endpoints: Endpoints, bundle: Path, timeout_s: float) -> Iterator[Finding]:
    """All checks, the cheap ones first; each finding comes as soon as it is known. `bundle` is there."""
    runs = machine.runtime()
    yield runs
    loaded = None
    if runs.state == "ok":  # else the bundle's trial would only say the same
        found, loaded = machine.bundle(bundle)
        yield found
    yield from machine.zeek()
    yield from bus.look(endpoints, loaded, timeout_s)
