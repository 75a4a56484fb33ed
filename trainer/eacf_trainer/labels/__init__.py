"""Labels: what a server name says of the application behind a connection.

:class:`LabelRules` answers; ``docs/labels.md`` tells the format of its file. Reading order: `names`, `suffixes`, `file`,
`shipped`, `rules`, `export` (the rules that go into a bundle), then `seen`, `evidence` and `suggest` (what a map might say of names that
it has no rule for). No TensorFlow.
"""

from __future__ import annotations

from eacf_trainer.labels.file import KINDS
from eacf_trainer.labels.rules import Answer, LabelRules, Why
from eacf_trainer.labels.shipped import MAPS

__all__ = ["KINDS", "MAPS", "Answer", "LabelRules", "Why"]
