"""What the tests of the wire share: the recordings of a real Zeek, and the fuzzer beside this file."""

from __future__ import annotations

import gzip
import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def value_types(shared: Path) -> dict[str, bytes]:
    """Body by tag of the events ``Zoo::one(tag, value)``, one Zeek type each."""
    bodies = {}
    for line in (shared / "zeek-wire" / "value-types.broker-bin-v1.jsonl").read_text().splitlines():
        body = bytes.fromhex(json.loads(line)["body_hex"])
        tag = body.partition(b"\x05\x08Zoo::one\x0e\x02\x05")[2]
        bodies[tag[1 : 1 + tag[0]].decode()] = body
    return bodies


@pytest.fixture(scope="session")
def recorded(shared: Path) -> list[bytes]:
    """Bodies of all ``EACF::flow`` events that a real Zeek published for the shared captures."""
    bodies = []
    for path in sorted((shared / "zeek-wire" / "samples").rglob("*.jsonl.gz")):
        with gzip.open(path, "rt") as lines:
            bodies += [bytes.fromhex(json.loads(line)["body_hex"]) for line in lines]
    return bodies


@pytest.fixture(scope="session")
def fuzz() -> ModuleType:
    """The fuzzer, which is a script as well."""
    spec = importlib.util.spec_from_file_location("wire_fuzz", Path(__file__).with_name("fuzz.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["wire_fuzz"] = module
    spec.loader.exec_module(module)
    return module
