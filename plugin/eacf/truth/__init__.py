"""Live truth: what the server names say of a model's answers, and whether its traffic is still what it was.

Reading order: `fair` (no client fills a window), `window` (accuracy, coverage, calibration), `errors` and `inputs` (what
tells of a drift), `alarms` (how often that is said), `examiner` (all of it together), `log`.
"""

from __future__ import annotations

from eacf.truth.alarms import Alarm
from eacf.truth.examiner import Examiner
from eacf.truth.fair import client_of
from eacf.truth.log import TruthLog
from eacf.truth.window import Window

__all__ = ["Alarm", "Examiner", "TruthLog", "Window", "client_of"]
