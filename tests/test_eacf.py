"""The package itself: light to import, versioned once."""

from __future__ import annotations

import subprocess
import sys
import time

import eacf


def test_version_is_that_of_the_distribution() -> None:
    from importlib.metadata import version

    assert eacf.__version__ == version("eacf")


def test_importing_eacf_loads_nothing_heavy() -> None:
    heavy = "{'numpy', 'zmq', 'tensorflow', 'ai_edge_litert', 'dpkt'}"
    program = f"import sys, eacf; print(sorted(name for name in sys.modules if name.split('.')[0] in {heavy}))"
    begun = time.perf_counter()
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"
    assert time.perf_counter() - begun < 10  # a hang, not a slow machine; the figure is printed by the benchmark
