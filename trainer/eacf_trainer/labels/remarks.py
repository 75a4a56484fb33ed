"""What is odd about a label map, and no mistake."""

from __future__ import annotations

from collections.abc import Iterator

from eacf.labels import suffixes
from eacf.labels.names import above
from eacf.labels.rules import LabelRules


def remarks(rules: LabelRules) -> Iterator[str]:
    """One line each."""
    for pattern, rule in rules.file.rules.items():
        over = next((rules.rules[each] for each in above(pattern) if each in rules.rules), None)
        # Of the two patterns of +.name, one is enough to tell of.
        twin = pattern.startswith("*") and rule.written.startswith("+")
        if over is not None and (over.label, over.ech) == (rule.label, rule.ech) and not twin:
            yield f"{rule} says no more than {over} does"
        if pattern.startswith("*") and suffixes.is_suffix(pattern[2:]):
            yield f"{rule} claims all names of a public suffix"
    if not rules.file.tests:
        yield "there is no table [tests]"
