"""Labels: what a server name says of the application behind a connection.

:class:`LabelRules` answers; ``docs/labels.md`` tells the format of its file. Reading order: `names`, `suffixes`, `file`,
`shipped`, `rules`, `export` (the rules that go into a bundle).
"""

from __future__ import annotations

from eacf.labels.file import KINDS
from eacf.labels.rules import Answer, LabelRules, Why
from eacf.labels.shipped import MAPS

__all__ = ["KINDS", "MAPS", "Answer", "LabelRules", "Why"]
