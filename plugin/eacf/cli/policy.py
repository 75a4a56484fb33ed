"""``eacf policy``: what a policy would do, before it does it."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from eacf.errors import SettingError

if TYPE_CHECKING:
    from eacf.policy.words import Known

DESCRIPTION = """\
Read a policy as Zeek and `eacf enforce` read it, and tell what each of its tables would do; or what is wrong
with it, every fault with its line. Nothing is done. Zeek reads a part of TOML, one statement a line: what it
cannot read is refused here, too."""

EPILOG = """\
examples:
  eacf policy check /etc/eacf/policy.toml
  eacf policy check policy.toml --bundle office.eacf     warn of labels that this bundle does not know
  eacf policy check policy.toml --json                   for programs

exit codes: 0 it is read, perhaps with warnings on standard error; 2 it is refused"""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command and its options."""
    policy = commands.add_parser(
        "policy",
        help="check what is to be done about which label",
        description="What is to be done about a verdict (docs/policy.md).",
    )
    actions = policy.add_subparsers(title="actions", metavar="ACTION", required=True)
    check = actions.add_parser(
        "check",
        help="say what a policy would do, or what is wrong with it",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    flag = check.add_argument
    flag("file", type=Path, metavar="FILE", help="the policy, /etc/eacf/policy.toml by custom")
    flag("--bundle", metavar="FILE", help="warn of labels that this bundle does not know (.eacf), or a shipped one's")
    flag("--json", action="store_true", help="the policy in one form, with warnings; or the faults")
    check.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Read, and tell; returns the exit code."""
    from eacf.policy import faults_of, words
    from eacf.policy.reading import data_of, refusal

    known = None if options.bundle is None else _known(options.bundle)
    policy, faults = faults_of(data_of(options.file))
    if faults:
        if options.json:
            told = [{"line": line or None, "fault": fault} for line, fault in faults]
            print(json.dumps({"file": str(options.file), "faults": told}, indent=2))
            return 2
        raise SettingError(refusal(faults, str(options.file)))
    doubts = list(words.doubts(policy, known))
    if options.json:
        document = {"file": str(options.file), "policy": policy.document(), "warnings": doubts}
        print(json.dumps(document, indent=2))
        return 0
    for line in words.told(policy):
        print(line)
    if known is not None and (left := [label for label in known.labels if label not in policy.labels]):
        print(f"labels of bundle {known.bundle} that no table is for: {words.listed(left)}")
    sys.stdout.flush()
    for doubt in doubts:
        print(f"eacf: {options.file}: warning: {doubt}", file=sys.stderr)
    return 0


def _known(name: str) -> Known:
    """What the bundle can say; SettingError where there is none."""
    import eacf.bundle
    from eacf.policy.words import Known

    path = eacf.bundle.find(name)
    if not path.exists():
        shipped = ", ".join(eacf.bundle.shipped())
        raise SettingError(f"{path}: no such file; name a bundle (.eacf), or a shipped one: {shipped}")
    bundle = eacf.bundle.load(path)
    names = bundle.manifest.label_map
    return Known(f"{bundle.name} {bundle.version}", bundle.labels, {*names.exact.values(), *names.suffix.values()})
