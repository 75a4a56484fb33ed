"""Finished cells, one small JSON each. A file is whole or not there: written beside, synced, renamed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from eacf import files
from eacf_trainer.experiments.plan import Cell


class Store:
    """The folder of finished cells of one set of flows."""

    def __init__(self, folder: Path, flows_id: str) -> None:
        self.folder, self.flows_id = folder, flows_id
        folder.mkdir(parents=True, exist_ok=True)

    def path(self, cell: Cell) -> Path:
        """Where the cell's result is, or will be."""
        return self.folder / f"{cell.key(self.flows_id)}.json"

    def has(self, cell: Cell) -> bool:
        """Whether the cell is finished."""
        return self.path(cell).exists()

    def get(self, cell: Cell) -> dict[str, Any] | None:
        """The cell's result, or None."""
        return read(self.path(cell))

    def put(self, cell: Cell, result: dict[str, Any]) -> None:
        """Keep a result."""
        write(self.path(cell), {"flows": self.flows_id, "cell": asdict(cell), **result})

    def timing_path(self, what: str) -> Path:
        """Where a measurement of time is kept; `what` tells what it hangs on."""
        return self.folder / f"time-{hashlib.sha256(what.encode()).hexdigest()[:16]}.json"


def read(path: Path) -> dict[str, Any] | None:
    """A document, or None where there is none."""
    try:
        document: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    return document


def write(path: Path, document: dict[str, Any]) -> None:
    """Write beside `path`, sync, then put it there in one step."""
    files.replace(path, json.dumps(document).encode() + b"\n")
