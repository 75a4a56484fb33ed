"""What every feature has: a name, parameters, a version, needs, and one way from samples to bytes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from eacf.errors import SettingError
from eacf.flow import Needs, Sample

MAX_WIDTH = 1 << 16
"""Bytes a row at most: a manifest cannot ask for more memory than 64 KiB a sample."""


class Features(ABC):
    """Samples in, uint8 rows out. Made once, then never changed; training and serving call the same object."""

    name: ClassVar[str]
    version: ClassVar[int]
    """Raised whenever the same parameters would give other bytes."""
    needs: Needs
    """What a sensor has to collect for these features, and no more."""
    shape: tuple[int, ...]
    """Of one row."""

    @abstractmethod
    def parameters(self) -> dict[str, object]:
        """What the constructor was given, as JSON values."""

    @classmethod
    @abstractmethod
    def from_parameters(cls, parameters: Mapping[str, object]) -> Self:
        """The reverse of :meth:`parameters`. Raises SettingError for a missing, surplus or wrong one."""

    @abstractmethod
    def lacks(self, sample: Sample) -> str | None:
        """What the features need that `sample` has not (the verdict is "refused" then), or None: nothing."""

    @abstractmethod
    def fill(self, samples: Sequence[Sample], out: NDArray[np.uint8]) -> None:
        """Write the rows into `out`: (n, *shape), contiguous, all zero."""

    def spec(self) -> dict[str, object]:
        """What a manifest keeps; :func:`eacf.features.from_spec` makes the same features of it."""
        return {"name": self.name, "version": self.version, "parameters": self.parameters()}

    def encode(self, samples: Sequence[Sample], out: NDArray[np.uint8] | None = None) -> NDArray[np.uint8]:
        """(n, *shape) uint8. `out`, if given, is overwritten and returned: it must have that shape and be contiguous.

        A sample that :meth:`lacks` something still gets a row, made of what it has.
        """
        wanted = (len(samples), *self.shape)
        if out is None:
            out = np.zeros(wanted, np.uint8)
        elif out.shape != wanted or out.dtype != np.uint8 or not out.flags.c_contiguous:
            raise ValueError(f"features {self.name}: out is {out.dtype}{out.shape}, must be contiguous uint8{wanted}")
        else:
            out.fill(0)
        self.fill(samples, out)
        return out


def only(parameters: Mapping[str, object], known: Sequence[str]) -> None:
    """Raise SettingError unless `parameters` has exactly the `known` keys."""
    if surplus := sorted(set(parameters) - set(known)):
        raise SettingError(f"parameter {surplus[0]!r} is unknown; allowed: {', '.join(known)}")
    if missing := sorted(set(known) - set(parameters)):
        raise SettingError(f"parameter {missing[0]!r} is missing")


def whole(name: str, value: object, least: int, most: int) -> int:
    """`value` if it is a whole number from `least` to `most`, else SettingError."""
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        shown = value if isinstance(value, int) and abs(value) < 1 << 64 else type(value).__name__
        raise SettingError(f"parameter {name!r} is {shown}; allowed: a whole number from {least} to {most}")
    return value
