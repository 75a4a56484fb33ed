"""What the tests on a real Zeek share. All of them are marked `zeek`: skipped, and counted, where there is none."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from eacf_trainer import testbed

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == HERE:
            item.add_marker(pytest.mark.zeek)


def module_at(path: Path) -> ModuleType:
    """A module that is no part of a package, since a script imports it too."""
    name = f"zeek_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def faults() -> ModuleType:
    """The faults, which the benchmark runs as well."""
    return module_at(HERE / "faults.py")


@pytest.fixture(scope="session")
def pretender() -> ModuleType:
    """Workers whose needs and answers a test chooses."""
    return module_at(HERE / "pretender.py")


@pytest.fixture(scope="session")
def load(faults: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A capture of 1,600 connections over eight seconds."""
    return Path(faults.make_capture(tmp_path_factory.mktemp("load") / "load.pcap", connections=1600, seconds=8))


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A capture of 80 connections, with some that never end."""
    path = tmp_path_factory.mktemp("small") / "small.pcap"
    testbed.generate(path, seed=7002, connections=80)
    return path


@pytest.fixture(scope="session")
def payload_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle whose model looks at 3,000 payload bytes; its weights are random."""
    made: Path = module_at(HERE.parent / "bench_zeek" / "bundles.py").payload(tmp_path_factory.mktemp("bundle"))
    return made
