"""Registrable domains, by the public suffix list inside the package `publicsuffixlist`. No network.

Only the list's ICANN section (suffixes under which registries sell names) decides what a registrable domain is. Its
private section (suffixes under which companies give names away: ``github.io``, ``cloudfront.net``) tells which of those
domains are shared by many owners. With both sections, ``play.googleapis.com`` would be a domain of its own.
"""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

import publicsuffixlist
from publicsuffixlist import PublicSuffixList

LIBRARY = "publicsuffixlist"
HEAD_BYTES = 4096
"""Of the list's file, in which its comment says which version it is."""


@lru_cache(1)
def _registries() -> PublicSuffixList:
    return PublicSuffixList(only_icann=True)


@lru_cache(1)
def _all() -> PublicSuffixList:
    return PublicSuffixList()


def registrable(name: str) -> str | None:
    """The registrable domain of a name in lower case: the public suffix and one label more; None if it is a suffix itself.

    An unknown top-level domain counts as a suffix, as the list's algorithm has it.
    """
    domain: str | None = _registries().privatesuffix(name)
    return domain


def is_suffix(name: str) -> bool:
    """Whether the list has it that registries sell names right below `name`."""
    return bool(_registries().is_public(name, accept_unknown=False))


def is_shared(domain: str) -> bool:
    """Whether the owner of a registrable domain lets others have names below it (the list's private section)."""
    return not is_suffix(domain) and bool(_all().is_public(domain, accept_unknown=False))


@lru_cache(1)
def list_version() -> str:
    """The list's own version, as ``2026-10-22_08-36-41_UTC``; the package's where the list says none."""
    with Path(publicsuffixlist.__file__).with_name("public_suffix_list.dat").open("rb") as file:
        found = re.search(rb"(?m)^// VERSION: (\S+)", file.read(HEAD_BYTES))
    return found[1].decode() if found else library_version()


def library_version() -> str:
    """The version of the package."""
    return version(LIBRARY)
