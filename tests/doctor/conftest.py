"""What a worker reports, as it comes out of JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from eacf import bundle, inference
from eacf.engine import Engine
from eacf.status import process_facts


@pytest.fixture(scope="session")
def engine() -> Engine:
    """Of the shipped bundle, fresh."""
    return Engine(inference.load(bundle.default_path()), worker="0123456789ab", started=0.0, process=process_facts)


@pytest.fixture
def worker_report(engine: Engine) -> Callable[..., dict[str, Any]]:
    """Makes a report of that engine; arguments replace fields."""

    def make(**fields: Any) -> dict[str, Any]:
        return {**json.loads(json.dumps(engine.status(100.0))), **fields}

    return make
