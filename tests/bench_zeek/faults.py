"""Faults, each run against real processes: how many of them end with an account of Zeek's that does not close to the flow."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from functools import partial
from types import ModuleType

import bundles
from figures import Figures
from machine import HERE, Machine, say

QUICK, LONG = (1600, 8.0), (2000, 40.0)
"""Connections and seconds of the captures: the long one for a worker that is stopped for half a minute."""


def measure(machine: Machine, figures: Figures) -> None:
    """Figures ``faults.*``."""
    faults = the_faults()
    with figures.of("faults.accounts_open"), machine.folder() as folder:
        quick = faults.make_capture(folder / "quick.pcap", connections=QUICK[0], seconds=QUICK[1])
        long = faults.make_capture(folder / "long.pcap", connections=LONG[0], seconds=LONG[1])
        replaced = partial(faults.worker_replaced, other=bundles.payload(machine.work))
        runs = {**faults.FAULTS, "worker replaced": replaced}
        unclosed = 0
        for number, (name, fault) in enumerate(runs.items()):
            try:
                outcome = fault(folder / f"site{number}", long if name == "worker stopped" else quick)
            except (TimeoutError, subprocess.TimeoutExpired, AssertionError) as error:
                say(f"  {name}: did not end well: {error}")
                unclosed += 1
                continue
            unclosed += not outcome.closes
            say(f"  {name}: {'closes' if outcome.closes else 'OPEN'}, {dict(outcome.outcomes)}")
        figures.values |= {"faults.accounts_open": unclosed, "faults.run": len(runs)}


def the_faults() -> ModuleType:
    """tests/zeek/faults.py, which the tests run as well."""
    spec = importlib.util.spec_from_file_location("zeek_faults", HERE.parent / "zeek" / "faults.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["zeek_faults"] = module
    spec.loader.exec_module(module)
    return module
