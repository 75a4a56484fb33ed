"""A label map as a bundle's: explicit rules only, as few as say what the map says of the labels that count."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING

from eacf.bundle.labelmap import LabelMap
from eacf.labels import suffixes
from eacf.labels.names import above, name_of

if TYPE_CHECKING:
    from eacf.labels.rules import LabelRules

Patterns = dict[str, str | None]
"""Pattern to label; None: such names have none."""


def bundle_rules(rules: LabelRules, server_names: Iterable[str | None], labels: Collection[str]) -> dict[str, str]:
    """Rules with which a bundle's label map gives each of `server_names` the label that the map does, if it is in `labels`.

    - every rule of such a label, and both rules of one that is a registrable domain by fallback;
    - a rule of another label only where it takes names out of one of those;
    - a bundle's map has no rule for "no label", so a suffix with such names below gives way to those of `server_names`
      that it claims, each by an exact rule.

    Held against LabelMap before it is returned: none of `server_names` gets a label of `labels` that is not its own, host
    names only (the worker does not ask whether a name is one). Sorted by label.
    """
    wanted = frozenset(labels)
    answers = {name: rules.label(name) for each in server_names if each is not None and (name := name_of(each))}
    every: Patterns = {pattern: rule.label for pattern, rule in rules.rules.items()}
    for domain in sorted(wanted):
        if rules.fallback and suffixes.registrable(domain) == domain:
            for pattern in (domain, f"*.{domain}"):
                if not any(each in rules.rules for each in (pattern, *above(pattern))):
                    every[pattern] = domain
    kept = _fewest(every, wanted)
    # Names without a label below a registrable domain: public suffixes that lie deeper (valer.hedmark.no).
    served = LabelMap(kept)
    if holes := {name: None for name, label in answers.items() if label is None and served.label(name) is not None}:
        kept = _fewest(every | holes, wanted)
        served = LabelMap(kept)
    for name, label in answers.items():
        said = served.label(name)
        if said != label and label is not None and (label in wanted or said in wanted):
            kept[name] = label
    return dict(sorted(kept.items(), key=lambda each: (each[1], each[0].removeprefix("*."), each[0].startswith("*"))))


def _fewest(every: Mapping[str, str | None], wanted: frozenset[str]) -> dict[str, str]:
    """From short to long: a rule is needed if it says something else than the rule above, and one of the two is of a wanted
    label, or stands below one that is."""
    holes = [pattern for pattern, label in every.items() if label is None]
    kept: dict[str, str] = {}
    for pattern in sorted(every, key=lambda each: (each.count("."), each)):
        label = every[pattern]
        if label is None or (pattern.startswith("*") and any(hole.endswith(pattern[1:]) for hole in holes)):
            continue
        otherwise = next((kept[each] for each in above(pattern) if each in kept), None)
        if label != otherwise and (label in wanted or otherwise is not None):
            kept[pattern] = label
    return kept
