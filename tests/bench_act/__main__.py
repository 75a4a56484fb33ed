"""`make bench-act`: how fast an act follows its flow, whether a rule is lost, what forwarding costs; printed beside the bounds.

Three network namespaces (client, gateway, server), a real Zeek, worker and agent. Needs root, zeek, nft and its library, iproute2. A figure
that falls short is printed as short and fails no build. Give it a machine that does nothing else: sender, receiver, Zeek, worker and
agent share its cores.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
sys.path[:0] = [str(HERE), str(HERE.parent / "demo_gateway")]

import forwarding  # noqa: E402 - found from here on
import latency  # noqa: E402
import rules  # noqa: E402
import zeek_rules  # noqa: E402

from eacf.errors import EacfError, SettingError  # noqa: E402
from eacf.sensor import ask_zeek, fit_zeek  # noqa: E402

PARTS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "act": latency.measure,
    "rules": rules.measure,
    "zeek-rules": zeek_rules.measure,
    "forwarding": forwarding.measure,
}
BOUNDS: dict[str, tuple[str, float]] = {
    "act_p99_ms": ("<", 25),
    "act_missing": ("==", 0),
    "rules_lost": ("==", 0),
    "zeek_rules_lost": ("==", 0),
    "forwarding_ratio": (">=", 0.95),
}
HOLDS: dict[str, Callable[[float, float], bool]] = {"<": float.__lt__, "==": float.__eq__, ">=": float.__ge__}


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench-act", description=__doc__)
    parser.add_argument("--out", type=Path, default=REPOSITORY / "bench-act.json", help="where the figures go")
    parser.add_argument("--work", type=Path, default=REPOSITORY / "build" / "bench-act", help="logs, and what is made")
    parser.add_argument(
        "--only", nargs="+", choices=PARTS, help="measure these parts; the other figures stay as they are"
    )
    options = parser.parse_args()
    figures: dict[str, Any] = {}
    try:
        _needs()
        if options.only and options.out.exists():
            figures = json.loads(options.out.read_text())["figures"]
        for name, measure in PARTS.items():
            if options.only is None or name in options.only:
                print(f"part {name} ...", flush=True)
                home = options.work.resolve() / name
                shutil.rmtree(home, ignore_errors=True)
                home.mkdir(parents=True)
                figures |= measure(home)
    except EacfError as error:
        print(f"make bench-act: {error}", file=sys.stderr)
        return 2
    options.out.write_text(json.dumps({"machine": _machine(), "figures": figures}, indent=1, sort_keys=True) + "\n")
    for name in sorted(figures):
        figure = figures[name]
        if isinstance(figure, int | float):
            print(f"{name:32} {figure:12.3f}  {_verdict(name, figure)}".rstrip())
        else:
            print(f"{name:32} {figure}")
    return 0


def _needs() -> None:
    """SettingError, with the remedy, for what is missing."""
    if os.geteuid() != 0:
        raise SettingError("network namespaces need root")
    for program, package in (("ip", "iproute2"), ("tc", "iproute2"), ("nft", "nftables"), ("sysctl", "procps")):
        if shutil.which(program) is None:
            raise SettingError(f"{program} is not on the PATH; install {package}")
    fit_zeek()


def _machine() -> dict[str, Any]:
    zeek = (ask_zeek(fit_zeek(), "--version") or "").split()
    return {
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "load_average": os.getloadavg()[0],
        "python": platform.python_version(),
        "when": time.strftime("%Y-%m-%d", time.gmtime()),
        "zeek": zeek[-1] if zeek else "?",
    }


def _verdict(name: str, figure: float) -> str:
    if name not in BOUNDS:
        return ""
    sign, bound = BOUNDS[name]
    return f"{'ok   ' if HOLDS[sign](float(figure), float(bound)) else 'SHORT'} (bound: {sign} {bound:g})"


if __name__ == "__main__":
    sys.exit(main())
