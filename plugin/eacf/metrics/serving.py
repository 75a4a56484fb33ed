"""Answers Prometheus on 127.0.0.1 alone, in a thread of its own that only reads numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, start_http_server

from eacf.errors import SettingError
from eacf.metrics.family import Family, FamilyCollector, Report
from eacf.metrics.worker import WORKER

ADDRESS = "127.0.0.1"


@contextmanager
def serving(port: int, report: Callable[[], Report], families: Sequence[Family] = WORKER) -> Iterator[None]:
    """Answer Prometheus on that port while the context lasts; port 0: do nothing. SettingError where it is taken."""
    if not port:
        yield
        return
    registry = CollectorRegistry(auto_describe=False)
    registry.register(FamilyCollector(families, report))
    try:
        server, thread = start_http_server(port, ADDRESS, registry)
    except OSError as error:
        raise SettingError(
            f"metrics_port = {port}: cannot listen on {ADDRESS} ({error.strerror}); choose a free port, or 0 for none"
        ) from None
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
