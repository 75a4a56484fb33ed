"""Fixtures that every part shares: where the real captures and recordings lie, if this machine has them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real captures (``pcaps/``) and recordings of a real Zeek (``zeek-wire/``); skips where it is absent."""
    path = Path(os.environ.get("EACF_SHARED", REPOSITORY.parent / "shared"))
    if not (path / "zeek-wire").is_dir():
        pytest.skip(f"real captures and recordings are not at {path} (set EACF_SHARED to where they are)")
    return path


@pytest.fixture(scope="session")
def repository() -> Path:
    """Root of the working tree."""
    return REPOSITORY
