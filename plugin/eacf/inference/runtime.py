"""Which TensorFlow Lite runtime serves: LiteRT, else what it was called before, else the one inside TensorFlow.

All three have the same `Interpreter`. On the sensor's side no other module imports any of them.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib import import_module
from operator import attrgetter
from typing import Any

import numpy as np

from eacf.errors import SettingError

CHOICES = (
    ("ai-edge-litert", "ai_edge_litert.interpreter", "Interpreter"),
    ("tflite-runtime", "tflite_runtime.interpreter", "Interpreter"),
    ("tensorflow", "tensorflow", "lite.Interpreter"),
)
"""Name of the package, module, and where in it the class is; the first that can be imported serves."""
NUMPY = int(np.__version__.partition(".")[0])


@dataclass(frozen=True, slots=True)
class Runtime:
    """A runtime that could be imported."""

    package: str
    version: str
    interpreter: Any
    """Its class `Interpreter`; none of the three comes with types."""

    def __str__(self) -> str:
        return f"{self.package} {self.version}"


def choose() -> Runtime:
    """The first of CHOICES that is here. Raises SettingError if none is."""
    problems = []
    for package, module, place in CHOICES:
        if package == "tflite-runtime" and NUMPY >= 2:
            problems.append(f"{package}: needs numpy below 2")  # it can be imported, and fails once it is used
            continue
        try:
            interpreter = attrgetter(place)(import_module(module))
        except (ImportError, AttributeError) as error:
            problems.append(f"{package}: {error}")
        else:
            return Runtime(package, str(sys.modules[module.partition(".")[0]].__version__), interpreter)
    raise SettingError(f"no TensorFlow Lite runtime is installed ({'; '.join(problems)}); install ai-edge-litert")
