"""Samples kept for learning: labelled by their server names, bounded, in one SQLite file.

Reading order: `schema` (the file), `rows` (what a row is), `reading` and `store` (what everybody may ask and remove), `clock`
and `index` (what time it is, who stays; pure), `keeper` (the one that adds).
"""

from __future__ import annotations

from eacf.samples.index import Limits
from eacf.samples.keeper import Counts, Keeper
from eacf.samples.reading import Label
from eacf.samples.rows import Stored
from eacf.samples.schema import Busy, Damaged, StoreError
from eacf.samples.store import Store

__all__ = ["Busy", "Counts", "Damaged", "Keeper", "Label", "Limits", "Store", "StoreError", "Stored"]
