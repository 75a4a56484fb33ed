"""nftables in this process: libnftables by ctypes. The only module that speaks to the kernel's packet filter.

No program is started, so the agent needs CAP_NET_ADMIN and no other privilege, and a transaction costs 0.1 to 3 ms. The
library keeps one netlink socket for as long as the object lives: a table with ``flags owner`` belongs to that socket, and
the kernel removes it when the socket closes, whatever ends the process.

A text is one transaction: all of it is applied, or nothing (nft(8)).
"""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Final, Self

from eacf.errors import EnforceError

LIBRARY: Final = "libnftables.so.1"
CAP_NET_ADMIN: Final = 12
"""Its number (capabilities(7), ``linux/capability.h``)."""
MAX_WHY: Final = 200
"""Characters of an error that are kept."""


class NftError(EnforceError):
    """The kernel or the library refused a transaction; nothing of it was applied."""


class Nft:
    """One handle of the library, for one thread; used as a context, or closed."""

    def __init__(self) -> None:
        """EnforceError where the library is not there."""
        try:
            library = ctypes.CDLL(LIBRARY)
        except OSError as error:
            raise EnforceError(
                f"{LIBRARY}: {error}; install nftables' library (Debian, Ubuntu: apt install libnftables1)"
            ) from None
        self._free = _function(library, "nft_ctx_free", None)
        self._run = _function(library, "nft_run_cmd_from_buffer", ctypes.c_int, ctypes.c_char_p)
        self._output = _function(library, "nft_ctx_get_output_buffer", ctypes.c_char_p)
        self._error = _function(library, "nft_ctx_get_error_buffer", ctypes.c_char_p)
        new = library.nft_ctx_new
        new.restype, new.argtypes = ctypes.c_void_p, (ctypes.c_uint32,)
        self._handle: int | None = new(0)
        if self._handle is None:
            raise EnforceError(f"{LIBRARY}: no handle; has the kernel nf_tables (modprobe nf_tables)?")
        for name in ("nft_ctx_buffer_output", "nft_ctx_buffer_error"):
            _function(library, name, ctypes.c_int)(self._handle)

    def run(self, text: str) -> str:
        """Apply one transaction, or list something; what the library prints. NftError where it was refused."""
        if self._handle is None:
            raise ValueError("closed")
        refused = self._run(self._handle, text.encode())
        output, error = self._output(self._handle), self._error(self._handle)
        if refused:
            raise NftError(_why(error.decode(errors="replace")))
        return str(output.decode(errors="replace"))

    def close(self) -> None:
        """Let go of the socket, and so of a table that it owns; a second call does nothing."""
        if self._handle is not None:
            self._free(self._handle)
            self._handle = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _function(
    library: ctypes.CDLL, name: str, result: type[ctypes.c_int | ctypes.c_char_p] | None, *more: type[ctypes.c_char_p]
) -> ctypes._NamedFuncPointer:
    """One of the library's functions, whose first argument is the handle (libnftables(3))."""
    function = getattr(library, name)
    function.restype, function.argtypes = result, (ctypes.c_void_p, *more)
    found: ctypes._NamedFuncPointer = function
    return found


def _why(text: str) -> str:
    """The first line of an error, without what the library says of every one."""
    first = text.strip().partition("\n")[0].removeprefix("Error: ").removeprefix("Could not process rule: ")
    return first[:MAX_WHY] or "no reason given"


def may_administer(status: Path = Path("/proc/self/status")) -> bool:
    """Whether this process has CAP_NET_ADMIN; True where the system does not tell."""
    try:
        lines = status.read_text().splitlines()
    except OSError:
        return True
    held = [line.split()[1] for line in lines if line.startswith("CapEff:")]
    return not held or bool(int(held[0], 16) >> CAP_NET_ADMIN & 1)
