"""``eacf-train recipes``: the recipes that eacf ships, or one of them whole."""

from __future__ import annotations

import argparse
import json

DESCRIPTION = """\
Without NAME, the recipes that eacf ships, a line each. With one (or a file), all of its settings, also those that it
leaves at their defaults; a file of your own needs only what differs."""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command and its options."""
    parser = commands.add_parser(
        "recipes",
        help="what can be fitted",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", nargs="?", metavar="NAME|FILE", help="a recipe")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print."""
    from eacf_trainer import recipe

    if options.name is not None:
        print(json.dumps(recipe.load(options.name).document(), indent=2))
        return 0
    for name in recipe.names():
        print(f"{name:18} {recipe.load(name).about}")
    return 0
