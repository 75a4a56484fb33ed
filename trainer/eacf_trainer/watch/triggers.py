"""When a model is to be updated. Pure: counts and times in, a reason out (paper, III-C: 1,000 samples, or 30 minutes)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass as checked

from eacf_trainer.recipe import STRICT

Reason = Literal["samples", "interval", "drift", "once"]


@checked(frozen=True, config=STRICT)
class Triggers:
    """Table ``[triggers]`` of a watch file. Samples are released ones with a label."""

    samples: Annotated[int, Field(ge=1)] = 1000
    """New samples since the last update was tried."""
    interval_s: Annotated[float, Field(ge=0)] = 1800.0
    """Seconds since then, 0: never for that; `least` samples must be there all the same."""
    least: Annotated[int, Field(ge=1)] = 500
    """Samples that judge and teach together (all since the last accepted update) without which nothing is tried."""
    drift: bool = True
    """Whether an alarm of a worker (EACF::alarm) is a reason."""
    drift_new: Annotated[int, Field(ge=1)] = 100
    """New samples without which an alarm waits."""
    pause_s: Annotated[float, Field(ge=0)] = 60.0
    """Seconds between two updates at least, whatever the reason; twice as many after each that failed, an hour at most."""


@dataclass(frozen=True)
class Facts:
    """What is known now."""

    new: int
    """Released samples since the last update was tried."""
    window: int
    """Released samples since the last update was accepted."""
    since_s: float | None
    """Seconds since an update was tried; None: never."""
    waited_s: float
    """The same, or where there was none, since somebody has been watching."""
    alarmed: bool
    """A worker has raised an alarm since."""


def due(facts: Facts, settings: Triggers, *, paper: bool = False) -> Reason | None:
    """Why to update now; None: not yet. `paper`: whatever there is will do, as there, one sample at least."""
    if facts.new < 1 or (not paper and facts.window < settings.least):
        return None
    if facts.since_s is not None and facts.since_s < settings.pause_s:
        return None
    if facts.new >= settings.samples:
        return "samples"
    if settings.drift and facts.alarmed and facts.new >= settings.drift_new:
        return "drift"
    if settings.interval_s and facts.waited_s >= settings.interval_s:
        return "interval"
    return None
