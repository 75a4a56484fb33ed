"""``eacf-train labels``: check a label map, ask it, and have one suggested."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from eacf.logs import tsv_string

if TYPE_CHECKING:
    from eacf.labels import LabelRules

DESCRIPTION = """\
A label map says which server name means which application (docs/labels.md). eacf ships the maps domains (the
one to begin with: registrable domains), services (well known ones, with all their domains) and testbed."""

EPILOG = """\
examples:
  eacf-train labels suggest office >> office.toml     names without a rule, from a dataset
  eacf-train labels check office.toml                 rules, conflicts and the file's own tests
  eacf-train labels show office.toml --name www.seznam.cz

exit codes: 0 fine, 1 nothing could be read, 2 a mistake in a map, the command or a file name"""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command and its options."""
    parser = commands.add_parser(
        "labels",
        help="check, ask or suggest a label map",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    check = actions.add_parser("check", help="check a map's file and run its tests")
    check.add_argument("file", metavar="FILE", help="a label map (TOML), or the name of one that eacf ships")
    check.set_defaults(run=run_check)
    show = actions.add_parser("show", help="show a map, or what it says of server names")
    show.add_argument("map", metavar="NAME|FILE", help="the name of a map that eacf ships, or a file")
    show.add_argument(
        "--name", nargs="+", action="extend", default=[], metavar="SERVER_NAME", help="say label, kind and why of these"
    )
    show.add_argument(
        "--lists", action="store_true", help="also the domains of the shipped lists, each with a sentence"
    )
    show.set_defaults(run=run_show)
    suggest = actions.add_parser("suggest", help="propose labels for server names that have no rule, as TOML")
    suggest.add_argument(
        "sources", nargs="+", type=Path, metavar="SOURCE", help="a dataset, captures, recordings, or folders of them"
    )
    suggest.add_argument("--labels", metavar="NAME|FILE", help="a map whose rules are there already (default: none)")
    suggest.add_argument(
        "--min", type=int, default=10, metavar="N", help="leave out groups of fewer flows (default: 10)"
    )
    suggest.set_defaults(run=run_suggest)


def run_check(options: argparse.Namespace) -> int:
    """Read the map, which checks; print what it is, and what is odd on standard error."""
    from eacf.labels import LabelRules
    from eacf_trainer.labels.remarks import remarks

    rules = LabelRules.find(options.file)
    for remark in remarks(rules):
        print(f"eacf-train: {rules.file.where}: {remark}", file=sys.stderr)
    _print(list(_about(rules)))
    return 0


def run_show(options: argparse.Namespace) -> int:
    """Print the map, or its answers."""
    from eacf.labels import LabelRules

    rules = LabelRules.find(options.map)
    if options.name:
        _print([("server name", "label", "kind", "why"), *(_answer(rules, name) for name in options.name)])
        return 0
    _print([*_about(rules), ("", "")])
    written: dict[str | None, list[str]] = {}
    for rule in rules.file.rules.values():
        of = written.setdefault("(ECH public names)" if rule.ech else rule.label, [])
        if rule.written not in of:
            of.append(rule.written)
    labels = [
        (label or "(no label)", rules.file.kinds.get(label or "", "-"), " ".join(of)) for label, of in written.items()
    ]
    _print([("label", "kind", "rules"), *labels])
    if options.lists:
        print()
        _print([("domain", "list", "what it is"), *_lists(rules)])
    return 0


def run_suggest(options: argparse.Namespace) -> int:
    """Print a TOML fragment; 1 where nothing was read."""
    from eacf.errors import SettingError
    from eacf.labels import LabelRules
    from eacf_trainer.labels.seen import Seen
    from eacf_trainer.labels.suggest import no_rules, suggestion

    if options.min < 1:
        raise SettingError(f"--min {options.min}: must be a number of 1 or more")
    rules = no_rules() if options.labels is None else LabelRules.find(options.labels)
    seen = Seen.of(options.sources)
    for source, reason in seen.skipped:
        print(f"eacf-train: {source}: skipped: {reason}", file=sys.stderr)
    if not seen.flows:
        print("eacf-train: no TLS connection was found; name other captures or recordings", file=sys.stderr)
        return 1
    print(suggestion(seen, rules, options.min), end="")
    return 0


def _about(rules: LabelRules) -> Iterator[tuple[str, str]]:
    summary = rules.summary
    kinds: dict[str, int] = {}
    for kind in rules.file.kinds.values():
        kinds[kind] = kinds.get(kind, 0) + 1
    yield "map", f"{rules.name}{': ' + rules.file.about if rules.file.about else ''}"
    yield "id", rules.id
    yield "labels", ", ".join(f"{n:,} {kind}" for kind, n in sorted(kinds.items())) or "none of its own"
    lists = [
        f"{each} ({sum(rule.origin == f'list {each}' for rule in rules.rules.values()) // 2})"
        for each in (*rules.file.lists, "ech")
    ]
    yield "lists", ", ".join(lists) + " domains"
    suffixes = summary.get("public_suffix_list")
    version = (
        f" (public suffix list {suffixes['version']}, ICANN section, publicsuffixlist {suffixes['publicsuffixlist']})"
        if suffixes
        else ""
    )
    yield "fallback", f"{rules.file.fallback}{version}"
    yield "tests", f"{len(rules.file.tests)} passed"


def _answer(rules: LabelRules, name: str) -> tuple[str, str, str, str]:
    answer = rules.explain(name)
    kind = "-" if answer.label is None else rules.kind(answer.label)
    why = str(answer.why) if answer.rule is None else f'{answer.why}: "{answer.rule.written}", {answer.rule.origin}'
    return tsv_string(name), answer.label or "-", kind, why


def _lists(rules: LabelRules) -> Iterator[tuple[str, str, str]]:
    from eacf.labels.shipped import listed

    for name in (*rules.file.lists, "ech"):
        for domain, sentence in listed(name).items():
            yield domain, name, sentence


def _print(rows: Sequence[tuple[str, ...]]) -> None:
    """Aligned text."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(f"{value:<{width}}" for value, width in zip(row, widths, strict=True)).rstrip())
