"""The testbed: applications that can be made anywhere, as captures of real TLS over a simulated path.

:func:`generate` writes a capture and returns what each connection in it was; :data:`LABEL_MAP` says which server name is which
application. No TensorFlow, no root, no network.
"""

from __future__ import annotations

from eacf_trainer.testbed.apps import APPS, LABEL_MAP
from eacf_trainer.testbed.capture import Truth, generate

__all__ = ["APPS", "LABEL_MAP", "Truth", "generate"]
