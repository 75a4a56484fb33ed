from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from eacf import inference
from eacf.bundle import Bundle
from eacf.errors import SettingError
from eacf.flow import Sample
from eacf.inference import runtime

ONLY_TENSORFLOW = """
import ipaddress, json, sys
sys.modules["ai_edge_litert"] = sys.modules["tflite_runtime"] = None  # as if they were not installed
from eacf import inference
from eacf.flow import Sample
model = inference.load(sys.argv[1])
host = ipaddress.ip_address("192.0.2.1")
samples = [Sample("C1", 0, host, 1, host, 443, None, b"", [], [length]) for length in (500, -500, 2000)]
print(json.dumps([model.runtime, model.scores(samples).tolist()]))
"""


def test_the_first_that_is_here() -> None:
    chosen = runtime.choose()
    assert str(chosen) == f"{chosen.package} {chosen.version}"
    assert chosen.version[0].isdigit()


def test_none_is_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "CHOICES", (("one", "eacf_no_such", "X"), ("two", "json", "NoSuchClass")))
    with pytest.raises(
        SettingError, match=r"one: No module named 'eacf_no_such'; two: .*NoSuchClass.*install ai-edge-litert"
    ):
        runtime.choose()


def test_tflite_runtime_is_passed_over_beside_numpy_2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "CHOICES", runtime.CHOICES[1:2])
    monkeypatch.setattr(runtime, "NUMPY", 2)
    with pytest.raises(SettingError, match="tflite-runtime: needs numpy below 2"):
        runtime.choose()


@pytest.mark.slow
def test_tensorflow_alone_gives_the_same(
    write: Callable[..., Bundle], sample: Callable[..., Sample], tmp_path: Path
) -> None:
    write()
    path = tmp_path / "tiny.eacf"
    done = subprocess.run(
        [sys.executable, "-c", ONLY_TENSORFLOW, str(path)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    name, scores = json.loads(done.stdout.splitlines()[-1])
    assert name.startswith("tensorflow ")
    here = inference.load(path).scores([sample(500), sample(-500), sample(2000)])
    assert scores == [pytest.approx(row, abs=0.05) for row in here.tolist()]
