"""A tap: hears what sensors collect and writes it to a file, with no model and no worker.

Reading order: `tap` (the protocol, without I/O), `ear` (the tap on a bus, which `eacf.collect` uses, too), `loop` (into a file);
`eacf.recording` is the file.
"""

from __future__ import annotations

from eacf.record.loop import Summary, record
from eacf.record.tap import RECORDS_ONLY, WITHOUT_PAYLOAD

__all__ = ["RECORDS_ONLY", "WITHOUT_PAYLOAD", "Summary", "record"]
