from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eacf import inference
from eacf.bundle import Bundle
from eacf.errors import BundleError
from eacf.inference import probing

Write = Callable[..., Bundle]


def test_a_good_bundle_is_loaded(write: Write, tmp_path: Path) -> None:
    made = write()
    assert inference.load(tmp_path / "tiny.eacf", probe=True).bundle.id == made.id


def test_a_bad_one_gives_the_same_error_as_without(write: Write, tiny: Any, tmp_path: Path) -> None:
    write(of=tiny._replace(model=tiny.model[:500]))
    messages = []
    for probe in (True, False):
        with pytest.raises(BundleError) as caught:
            inference.load(tmp_path / "tiny.eacf", probe=probe)
        messages.append(str(caught.value))
    assert messages[0] == messages[1]


@pytest.mark.parametrize(
    ("trial", "problem"),
    [
        ("import os; os.abort()", "model.tflite: crashes the runtime (signal 6)"),
        ("import os; os._exit(3)", "model.tflite: crashes the runtime (exit status 3)"),
        ("import time; time.sleep(60)", "model.tflite: no answer within 1 s"),
    ],
)
def test_one_that_takes_its_process_with_it(monkeypatch: pytest.MonkeyPatch, trial: str, problem: str) -> None:
    monkeypatch.setattr(probing, "TRIAL", trial)
    monkeypatch.setattr(probing, "TIMEOUT_S", 1)
    with pytest.raises(BundleError) as caught:
        probing.probe(b"", "here")
    assert str(caught.value).startswith(f"here: {problem}")
