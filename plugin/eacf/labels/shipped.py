"""What comes with eacf: lists of domains that tell of no application, each with a sentence, and label maps."""

from __future__ import annotations

import tomllib
from functools import lru_cache
from pathlib import Path

from eacf.labels.file import MapFile, Rule, read

HOME = Path(__file__).parent
MAPS = ("domains", "services", "testbed")
"""Label maps that have a name; the first is the one to begin with."""


@lru_cache(4)
def listed(name: str) -> dict[str, str]:
    """Domains of the list ``lists/<name>.toml`` and the sentence about each. A domain stands for all names below it, too."""
    table = tomllib.loads((HOME / "lists" / f"{name}.toml").read_text(encoding="utf-8"))
    domains: dict[str, str] = table["domains"]
    return domains


def list_rules(name: str) -> dict[str, Rule]:
    """Rules of a list, by pattern: each domain is a label, or, on the list ``ech``, has none."""
    return {
        pattern: Rule(pattern, None if name == "ech" else domain, f"+.{domain}", f"list {name}", name == "ech")
        for domain in listed(name)
        for pattern in (domain, f"*.{domain}")
    }


def shipped(name: str) -> MapFile:
    """The shipped map of this name."""
    return read(HOME / "maps" / f"{name}.toml")
