"""What the tests of metrics, rules and dashboard share."""

from __future__ import annotations

import importlib.util
import json
import socket
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

REPOSITORY = Path(__file__).resolve().parents[2]
RULES = REPOSITORY / "packaging" / "prometheus" / "eacf.rules.yml"
DASHBOARD = REPOSITORY / "packaging" / "grafana" / "eacf.json"
OF_ZEEK_ITSELF = ("zeek_cluster_zeromq_xpub_drops_total", "zeek_cluster_zeromq_onloop_drops_total")


@cache
def metrics_page() -> ModuleType:
    """The script that makes docs/metrics.md."""
    path = REPOSITORY / "packaging" / "metrics_page.py"
    spec = importlib.util.spec_from_file_location("metrics_page", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def queries() -> Iterator[tuple[str, str]]:
    """Each panel's title and one of its expressions, for all instances."""
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel.get("targets", ()):
            expression = target["expr"].replace("$__rate_interval", "10s").replace("$instance", ".*")
            assert "$" not in expression, (panel["title"], expression)
            yield panel["title"], expression


def free_port() -> int:
    """One that nobody listens on just now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number: int = free.getsockname()[1]
    return number
