"""Who is let in: a folder of public keys, read again when something in it changes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from eacf.curve import read_clients
from eacf.relay.rules import ROLES, Rule


@dataclass(frozen=True)
class Client:
    """One that is let in."""

    name: str
    """Of its key file."""
    role: str
    rule: Rule


class Clients:
    """The folder as it was when it was last read without an error."""

    def __init__(self, folder: Path) -> None:
        """SettingError where it cannot be read."""
        self._folder = folder
        self._seen = self._stamp()
        self.by_key: dict[str, Client] = self._read()
        """Public key in Z85."""

    def changed(self) -> bool:
        """Whether something in the folder is another than when it was last read."""
        return self._stamp() != self._seen

    def reload(self) -> tuple[int, int]:
        """Read it again: how many keys are new, and how many are gone or have another role. SettingError: all stays as it was."""
        self._seen = self._stamp()
        former, new = self.by_key, self._read()
        self.by_key = new
        gone = sum(key not in new or new[key].role != client.role for key, client in former.items())
        return sum(key not in former for key in new), gone

    def _read(self) -> dict[str, Client]:
        rules = {role: Rule(role) for role in ("", *ROLES)}
        found = read_clients(self._folder, tuple(ROLES))
        return {key: Client(name, role, rules[role]) for key, (name, role) in found.items()}

    def _stamp(self) -> frozenset[tuple[str, int, int, int]]:
        """What tells that a file came, went or was written; nothing where the folder cannot be read."""
        found = set()
        for place, _, files in os.walk(self._folder):
            for name in files:
                try:
                    facts = os.stat(f"{place}/{name}")  # noqa: PTH116 - many, often
                except OSError:
                    continue
                found.add((f"{place}/{name}", facts.st_ino, facts.st_mtime_ns, facts.st_size))
        return frozenset(found)
