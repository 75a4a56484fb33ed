"""The models that a worker was sent: kept on disk, one serves, one may score beside it, an older one can come back.

``store`` is the folder, ``state`` what its ``state.json`` says (``reading`` reads it back), ``lineage`` where a model comes
from, ``orders`` what somebody far away wants.
"""

from __future__ import annotations

from eacf.models.state import By, Kept, State, Step
from eacf.models.store import Store

__all__ = ["By", "Kept", "State", "Step", "Store"]
