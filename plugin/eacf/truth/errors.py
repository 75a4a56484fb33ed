"""Whether a model errs more than it did: river's ADWIN on its exams (Bifet and Gavaldà, "Learning from time-changing data
with adaptive windowing", SDM 2007).

Nothing imports this module where no drift is looked for.
"""

from __future__ import annotations

from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import river

SLOT_S = 10.0
"""One exam of each client is taken in so long: those of one moment are not independent, and no client outweighs another."""
MAX_CLIENTS = 4096
"""Whose exams are taken in that time."""
DELTA = 1e-4
"""How probable it is at most that a look sees a change where there is none; river's default is 0.002."""
ENOUGH = 200
"""Exams by which an error rate is known."""
WORSE = 0.05
"""An error rate that has risen by less is not told of."""


class Errors:
    """See the module. An error is whatever is not right: a model that has become unsure where it was sure has drifted, too."""

    def __init__(self) -> None:
        self.usual: float | None = None
        """The lowest error rate that ended with a change, over `ENOUGH` exams; None: there was no change yet."""
        self.worse = False
        """Whether the model errs more than it did: ADWIN saw a change, and `ENOUGH` exams after it bear it out."""
        self.seen: tuple[int, float] = 0, 0.0
        """Exams since the last change, and the share of errors; as one, since another thread may ask."""
        self._adwin = adwin_class()(delta=DELTA)
        self._slot_ends = float("-inf")
        self._slot: set[int] = set()

    def add(self, client: int, error: bool, now: float) -> None:
        """Take an exam, unless this client has had its turn."""
        if now >= self._slot_ends:
            self._slot_ends = now + SLOT_S
            self._slot.clear()
        if client in self._slot or len(self._slot) >= MAX_CLIENTS:
            return
        self._slot.add(client)
        adwin = self._adwin
        width, total = adwin.width + 1, adwin.total + error
        adwin.update(float(error))
        exams, rate = self.seen = int(adwin.width), float(adwin.estimation)
        if adwin.drift_detected:
            gone = width - exams  # of the part that it has just forgotten; at the next exam it forgets the rest, too
            before = (total - adwin.total) / gone
            if gone >= ENOUGH:
                self.usual = before if self.usual is None else min(before, self.usual)
        elif self.usual is not None and exams >= ENOUGH:
            self.worse = rate >= self.usual + WORSE


@cache
def adwin_class() -> Any:
    """river's ADWIN, from its file: `river.drift` imports pandas, scikit-learn and scipy with it, which takes 1.1 s and 160 MB.

    Where another river has it elsewhere, it is taken from there, whatever that costs.
    """
    spec = spec_from_file_location("eacf.truth.adwin", Path(river.__file__).parent / "drift" / "adwin.py")
    if spec is not None and spec.loader is not None:
        module = module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
            return module.ADWIN
        except (ImportError, OSError, AttributeError):
            pass
    from river.drift import ADWIN

    return ADWIN
