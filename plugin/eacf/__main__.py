"""``python -m eacf`` is ``eacf``."""

from __future__ import annotations

import sys

from eacf.cli import main

if __name__ == "__main__":
    sys.exit(main())
