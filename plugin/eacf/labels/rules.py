"""From a server name to a label: a file's rules, the lists it takes in, then its fallback.

An exact rule goes before suffixes, a longer suffix before a shorter one, wherever it is from; of two that claim the same
names the file's goes before a list's. What none claims has its registrable domain as its label, if the map says so.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any

from eacf.bundle.labelmap import MAX_NAME
from eacf.errors import SettingError
from eacf.labels import suffixes
from eacf.labels.file import MOST, MapFile, Rule, read
from eacf.labels.names import above, name_of
from eacf.labels.shipped import MAPS, list_rules, shipped

CACHED_NAMES = 200_000
"""Names whose answer is kept; all go when there are more."""


class Why(StrEnum):
    """Where an answer is from."""

    RULE = "rule"
    FALLBACK = "registrable domain"
    ECH = "ECH public name"
    UNLABELLED = "unlabelled by a rule"
    NO_NAME = "no server name"
    NO_HOST = "not a host name"
    """An address, a single label, or characters that no host name has."""
    NO_RULE = "no rule"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a map says of a server name."""

    label: str | None
    why: Why
    rule: Rule | None = None


_NO_NAME = Answer(None, Why.NO_NAME)
_NO_HOST = Answer(None, Why.NO_HOST)
_NO_RULE = Answer(None, Why.NO_RULE)


class LabelRules:
    """A label map. Frozen in so far as anyone can see; answers are kept."""

    def __init__(self, name: str, file: MapFile) -> None:
        """SettingError where one of the file's tests fails."""
        self.name = name
        self.file = file
        self.rules: dict[str, Rule] = list_rules("ech")
        """Every rule by its pattern, lists included."""
        self._kinds: dict[str, str] = {}
        for each in file.lists:
            rules = list_rules(each)
            self.rules |= rules
            self._kinds |= {rule.label: each for rule in rules.values() if rule.label is not None}
        self.rules |= file.rules
        self._kinds |= file.kinds
        self._cache: dict[str, Answer] = {}
        self._run_tests()

    @classmethod
    def read(cls, path: Path) -> LabelRules:
        """The map in a TOML file; its name is the file's without ``.toml``. SettingError."""
        return cls(path.stem, read(path))

    @classmethod
    def named(cls, name: str) -> LabelRules:
        """A map that comes with eacf (:data:`~eacf.labels.shipped.MAPS`); SettingError."""
        if name not in MAPS:
            raise SettingError(f"label map {name!r}: eacf ships none of this name; it ships {', '.join(MAPS)}")
        return _named(name)

    @classmethod
    def find(cls, given: str, folder: Path = Path()) -> LabelRules:
        """A shipped map by its name, else the file `given` (in `folder`, if its path is relative); SettingError."""
        if given in MAPS:
            return cls.named(given)
        path = folder / Path(given).expanduser()
        if not path.suffix and not path.exists():
            raise SettingError(f"label map {given!r}: is no file, nor one of those that eacf ships: {', '.join(MAPS)}")
        return cls.read(path)

    def __reduce__(self) -> tuple[type[LabelRules], tuple[str, MapFile]]:
        """For other processes: what it was made of, without the answers kept."""
        return LabelRules, (self.name, self.file)

    @property
    def fallback(self) -> bool:
        """Whether a name that no rule claims has its registrable domain as its label."""
        return self.file.fallback == "registrable-domain"

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels that rules give, sorted; the fallback's are not among them."""
        return tuple(sorted({rule.label for rule in self.rules.values() if rule.label is not None}))

    def label(self, server_name: str | None) -> str | None:
        """The label of a server name; None: it has none."""
        return self.explain(server_name).label

    def explain(self, server_name: str | None) -> Answer:
        """The label, and where it is from."""
        if server_name is None:
            return _NO_NAME
        if (answer := self._cache.get(server_name)) is not None:
            return answer
        if len(server_name) > MAX_NAME + 1:  # never kept: hostile names would fill memory
            return _NO_HOST
        if len(self._cache) >= CACHED_NAMES:
            self._cache.clear()
        answer = self._cache[server_name] = self._answer(server_name)
        return answer

    def kind(self, label: str) -> str:
        """ "application", "ads" or "cdn"; of a registrable domain below which anyone may have names, "cdn"."""
        if (kind := self._kinds.get(label)) is not None:
            return kind
        return "cdn" if self.fallback and suffixes.is_shared(label) else "application"

    def tally(self, server_names: Iterable[str | None]) -> dict[str, int]:
        """How many of the names were answered by what: the words of :class:`Why`, those that occur."""
        return {str(why): n for why, n in Counter(self.explain(name).why for name in server_names).most_common()}

    def bundle_rules(self, server_names: Iterable[str | None], labels: Collection[str]) -> dict[str, str]:
        """Rules for a bundle's label map: see :func:`eacf.labels.export.bundle_rules`."""
        from eacf.labels.export import bundle_rules

        return bundle_rules(self, server_names, labels)

    @property
    def id(self) -> str:
        """12 hex digits of all that decides an answer; the public suffix list's version is part of it where it is used."""
        content = {
            "rules": {pattern: [rule.label, rule.ech] for pattern, rule in self.rules.items()},
            "kinds": self._kinds,
            "fallback": self.file.fallback,
            "suffixes": suffixes.list_version() if self.fallback else None,
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]

    @property
    def summary(self) -> dict[str, Any]:
        """What a run and a bundle say of the map; plain values."""
        kinds = Counter(self.kind(label) for label in self.labels)
        return {
            "name": self.name,
            "id": self.id,
            "rules": len(self.rules),
            "labels": dict(sorted(kinds.items())),
            "lists": list(self.file.lists),
            "fallback": self.file.fallback,
            "tests": len(self.file.tests),
        } | (
            {
                "public_suffix_list": {
                    "version": suffixes.list_version(),
                    "section": "ICANN",
                    suffixes.LIBRARY: suffixes.library_version(),
                }
            }
            if self.fallback
            else {}
        )

    def match(self, name: str) -> Rule | None:
        """The rule that claims a name in lower case without trailing dot."""
        if (rule := self.rules.get(name)) is not None:
            return rule
        return next((self.rules[pattern] for pattern in above(name) if pattern in self.rules), None)

    def _answer(self, server_name: str) -> Answer:
        name = name_of(server_name)
        if name is None:
            return _NO_HOST
        if (rule := self.match(name)) is not None:
            why = Why.ECH if rule.ech else Why.UNLABELLED if rule.label is None else Why.RULE
            return Answer(rule.label, why, rule)
        domain = suffixes.registrable(name) if self.fallback else None
        # A bundle has no room for a longer label. Registries allow 63 characters before the suffix; real ones are short.
        return _NO_RULE if domain is None or len(domain) > MOST else Answer(domain, Why.FALLBACK)

    def _run_tests(self) -> None:
        failed = []
        for name, wanted in self.file.tests.items():
            answer = self.explain(name)
            if answer.label != wanted:
                why = f"by {answer.rule}" if answer.rule is not None else f"({answer.why})"
                said = "no label" if answer.label is None else f'"{answer.label}"'
                failed.append(f"{name!a} should have {ascii(wanted) if wanted else 'no label'}, has {said} {why}")
        if failed:
            listed = "; ".join(failed[:10]) + (f"; and {len(failed) - 10} more" if len(failed) > 10 else "")
            raise SettingError(f"{self.file.where}: tests: {listed}. Correct the rules or the tests")


@lru_cache(len(MAPS))
def _named(name: str) -> LabelRules:
    return LabelRules(name, shipped(name))
