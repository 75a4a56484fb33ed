"""From a server name to a label, by rules: exact names first, then the longest suffix.

A rule is ``www.example.com`` (that name alone) or ``*.example.com``, also written ``.example.com`` (every name below
it, at any depth, but not ``example.com`` itself). Case and one trailing dot mean nothing, in rules as in names
(RFC 4343, RFC 1034 section 3.1).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from eacf.bundle.fields import REBUILD, kind, text
from eacf.errors import BundleError

MAX_NAME = 253
"""Characters of a DNS name without its trailing dot (RFC 1035 section 2.3.4); a longer one has no label."""
CACHED_NAMES = 4096
"""Names whose answer is kept; the least recently used goes first."""


class LabelMap:
    """Rules, normalised. A look-up costs one dict access for each label of the name, or one for a name seen before."""

    def __init__(self, rules: Mapping[str, str], where: str = "label_map") -> None:
        """Raises BundleError where a rule is no server name or two rules claim the same names."""
        self.exact: dict[str, str] = {}
        self.suffix: dict[str, str] = {}
        claimed: dict[str, str] = {}
        for rule, label in rules.items():
            shown = f"{where}[{kind(rule)}]"
            key = normalise(rule)
            below = key.startswith((".", "*."))
            name = key[key.index(".") + 1 :] if below else key
            if not is_name(name):
                raise BundleError(f"{shown}: is neither a server name nor *.name; correct the rule and {REBUILD}")
            if (canonical := f"*.{name}" if below else name) in claimed:
                raise BundleError(
                    f"{shown}: claims the same names as {kind(claimed[canonical])}; drop one and {REBUILD}"
                )
            claimed[canonical] = rule
            (self.suffix if below else self.exact)[name] = text(label, shown, most=64)
        self._cached = lru_cache(CACHED_NAMES)(self._find)

    def label(self, server_name: str | None) -> str | None:
        """The label of `server_name`; None if no rule has one for it."""
        # The length is checked before the cache, so that hostile names cannot fill it with megabytes.
        if server_name is None or len(server_name) > MAX_NAME + 1:
            return None
        return self._cached(server_name)

    def _find(self, server_name: str) -> str | None:
        name = normalise(server_name)
        if (label := self.exact.get(name)) is not None or not self.suffix:
            return label
        dot = name.find(".")
        while dot >= 0:
            if (label := self.suffix.get(name[dot + 1 :])) is not None:
                return label
            dot = name.find(".", dot + 1)
        return None


def normalise(name: str) -> str:
    """Lower case, without one trailing dot."""
    return name.lower().removesuffix(".")


def is_name(name: str) -> bool:
    """True for a DNS name in ASCII: labels of 1 to 63 printable characters other than ``*``, 253 in all."""
    return (
        0 < len(name) <= MAX_NAME
        and name.isascii()
        and name.isprintable()
        and not set(name) & set(" *")
        and all(0 < len(label) <= 63 for label in name.split("."))
    )
