from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eacf import bundle, keys
from eacf.bundle import signing
from eacf.models import Store

Make = Callable[..., bytes]
FLATBUFFER = b"\x1c\0\0\0TFL3" + bytes(range(100))  # passes for one: nothing here runs a model


@pytest.fixture(scope="session")
def make(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """A small bundle's file; its arguments are fields of the manifest, which give it an id of its own."""
    folder = tmp_path_factory.mktemp("bundles")
    document = dict(bundle.load(bundle.find("testbed")).manifest.document)
    document.pop("golden", None)

    def build(**fields: Any) -> bytes:
        bundle.write(folder / "made.eacf", document | fields, FLATBUFFER)
        return (folder / "made.eacf").read_bytes()

    return build


@pytest.fixture(scope="session")
def three(make: Make) -> list[bytes]:
    return [make(version=str(number)) for number in range(3)]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "store")


@pytest.fixture
def key(tmp_path: Path) -> keys.PrivateKey:
    made, _ = keys.new(tmp_path / "ops")
    return made


@pytest.fixture
def push(store: Store, key: keys.PrivateKey) -> Callable[[bytes, int], str]:
    """What a worker does with a bundle that came whole: check, keep, serve."""

    def run(data: bytes, serial: int, purpose: str = "serve") -> str:
        signed = signing.sign(data, key, serial=serial, purpose=purpose)
        signature = signing.verify(bundle.from_bytes(signed, "pushed").manifest, keys.Trusted([key.public]))
        model_id = store.keep(signed, signature=signature, now=0)
        store.serve(model_id, by=(signature.key, signature.serial), why="push", now=0)
        return model_id

    return run
