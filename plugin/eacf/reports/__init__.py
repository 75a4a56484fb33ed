"""What workers, Zeek processes, a gateway's agents and relays report of themselves: read with care, and put into words.

A report came over the bus, so it may be anything that JSON can say. Law: nothing here raises on any report, and no text
that is given can steer a terminal or is longer than a screen can bear.
"""

from eacf.reports.reading import (
    MAX_LIST,
    Report,
    at,
    count,
    entries,
    is_worker,
    is_zeek,
    kind_of,
    name_of,
    number,
    text,
    total,
)
from eacf.reports.sides import Account, account, side_by_side
from eacf.reports.words import needs_in_words, render

__all__ = [
    "MAX_LIST",
    "Account",
    "Report",
    "account",
    "at",
    "count",
    "entries",
    "is_worker",
    "is_zeek",
    "kind_of",
    "name_of",
    "needs_in_words",
    "number",
    "render",
    "side_by_side",
    "text",
    "total",
]
