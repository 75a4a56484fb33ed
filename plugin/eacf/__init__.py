"""eacf: name the application behind an encrypted connection.

Importing this package loads nothing heavy; a notebook imports what it needs:
:mod:`eacf.replay`, :mod:`eacf.features`, :mod:`eacf.bundle`, :mod:`eacf.wire`.
"""

__version__ = "0.1.0"
