"""Server names and the rules that claim them.

A rule is ``www.example.com`` (that name), ``*.example.com`` or ``.example.com`` (every name below, at any depth, but not
``example.com`` itself), as in a bundle's label map, or ``+.example.com``, short for the first two of ``example.com``.
Case and one trailing dot mean nothing, in rules as in names (RFC 4343, RFC 1034 section 3.1).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from eacf.bundle.labelmap import MAX_NAME

_NAME = re.compile(r"(?:[a-z0-9_-]{1,63}\.)*(?=[0-9_-]*[a-z])[a-z0-9_-]{1,63}")
"""Letters, digits, hyphens and underscores; the last label has a letter, which an IPv4 address has not (RFC 1123, 2.1)."""


def name_of(server_name: str) -> str | None:
    """`server_name` in lower case without its trailing dot; None if it is no DNS name of two labels or more: an address,
    a single label, empty, too long, or with characters that no host name has (RFC 1035 section 2.3.1, and underscores).
    """
    if len(server_name) > MAX_NAME + 1 or not server_name.isascii():
        return None
    name = server_name.lower().removesuffix(".")
    return name if "." in name and len(name) <= MAX_NAME and _NAME.fullmatch(name) else None


def claims(rule: str) -> tuple[str, ...]:
    """The patterns ``name`` and ``*.name`` that a rule stands for; none if it is no rule.

    A name alone has two labels or more, since one of a single label has no label; ``*.lan`` is allowed.
    """
    text = rule.lower().removesuffix(".") if rule.isascii() else ""
    form, dot, rest = text.partition(".")
    if not dot or form not in ("", "*", "+"):
        return (text,) if name_of(text) else ()
    # "*.lan" is one label below which names are, so the check is made on a name there.
    if name_of(f"x.{rest}") is None or (form == "+" and name_of(rest) is None):
        return ()
    return (rest, f"*.{rest}") if form == "+" else (f"*.{rest}",)


def above(pattern: str) -> Iterator[str]:
    """The suffix patterns that claim all that `pattern` does, the longest first, itself left out."""
    name = pattern.removeprefix("*.")
    dot = name.find(".")
    while dot >= 0:
        yield f"*{name[dot:]}"
        dot = name.find(".", dot + 1)


def stem(domain: str) -> str:
    """What stands before the first dot."""
    return domain.partition(".")[0]
