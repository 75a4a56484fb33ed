from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from eacf.bundle import archive, document
from eacf.features import Shape

MANIFEST: dict[str, Any] = {
    "name": "tiny",
    "version": "1.0",
    "created": "2025-01-31T12:00:00Z",
    "labels": ["web", "mail"],
    "background": True,
    "features": Shape([[-100, 0, 50], [0]], bins=8).spec(),
    "label_map": {"*.example.com": "web", "mail.example.org": "mail"},
    "calibration": {"temperature": 1.5},
    "thresholds": {"web": 0.5, "mail": 0.75},
    "quantisation": {
        "input": {"scale": 1 / 255, "zero_point": 0},
        "output": {"scale": 0.25, "zero_point": -3},
    },
    "training": {"samples": 10},
    "figures": {"accuracy": 0.5},
    "libraries": {"numpy": "2.0"},
    "golden": {"inputs": ["/wAAAAAAAAAAAAAAAAAA/w=="], "outputs": [[1, -2, 3]], "tolerance": 4},
}


@pytest.fixture
def manifest() -> dict[str, Any]:
    """A whole manifest as a trainer gives it, free to be changed."""
    return copy.deepcopy(MANIFEST)


@pytest.fixture(scope="session")
def model() -> bytes:
    """Passes for a flatbuffer where nothing is run: a bundle's file is checked without the runtime."""
    return b"\x1c\0\0\0TFL3" + bytes(range(100))


@pytest.fixture(scope="session")
def forge() -> Callable[..., bytes]:
    """A file of any manifest and model with the right id and container, as one who knows the format would make it."""

    def build(content: dict[str, Any], model: bytes) -> bytes:
        signed = content | {"id": document.identity(content)}
        return archive.pack({archive.MANIFEST: document.canonical(signed), archive.MODEL: model})

    return build
