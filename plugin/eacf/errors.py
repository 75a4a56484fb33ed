"""Every error that eacf raises on purpose, sorted by whose fault it is.

Each is also a builtin, so that a caller who does not know eacf can still catch it.
No message ever holds payload bytes.
"""

from __future__ import annotations


class EacfError(Exception):
    """Base of all errors below."""


class WireError(EacfError, ValueError):
    """A peer's bytes do not say what the contract allows.

    `kind` is a short fixed word for counters (``truncated``, ``tag``, ``limit``, ``type``, ``event``, ...);
    the message says what, where (byte offset or field) and why.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class CaptureError(EacfError, ValueError):
    """A capture file cannot be read at all (damage further on is counted, not raised)."""


class BundleError(EacfError, ValueError):
    """A bundle is not fit to serve. The message names the file, the field and the remedy."""


class SettingError(EacfError, ValueError):
    """The operator's mistake: the message names file or flag, key, value and what is allowed. Exit code 2."""


class BusError(EacfError, OSError):
    """The bus could not be reached or bound. The message names the endpoint."""


class WorkerError(EacfError, RuntimeError):
    """A worker that was started for a replay ended too early, or does not answer. The message holds its last words."""


class SensorError(EacfError, RuntimeError):
    """A Zeek that was started for a replay failed. The message holds its last words."""


class EnforceError(EacfError, OSError):
    """The kernel does not let the gateway's agent have its table. The message says what it said, and the remedy."""
