"""A command line as a tree of commands, read from its argparse parser: what man pages and completions are made of."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FILES = ("FILE", "DIR", "FOLDER", "HOME", "RUN", "PATH", "BUNDLE", "CAPTURE", "DB")
"""Words in a metavar that mean a file or a folder, where the type does not say so."""


@dataclass(frozen=True)
class Argument:
    """An option, or a positional argument."""

    flags: tuple[str, ...]
    """Empty: positional."""
    value: str | None
    """What stands for its value; None: it takes none."""
    text: str
    choices: tuple[str, ...]
    file: bool
    """Its value names a file or a folder."""
    required: bool
    many: bool
    """There may be several."""


@dataclass(frozen=True)
class Command:
    """One command and those below it."""

    path: tuple[str, ...]
    """The words that it is called by, the program first."""
    summary: str
    description: str
    epilog: str
    arguments: tuple[Argument, ...]
    commands: tuple[Command, ...]

    @property
    def name(self) -> str:
        return " ".join(self.path)

    @property
    def options(self) -> tuple[Argument, ...]:
        return tuple(each for each in self.arguments if each.flags)

    @property
    def positionals(self) -> tuple[Argument, ...]:
        return tuple(each for each in self.arguments if not each.flags)

    def walk(self) -> Iterator[Command]:
        """This one, and all below it."""
        yield self
        for each in self.commands:
            yield from each.walk()


def read(parser: argparse.ArgumentParser, path: tuple[str, ...] = (), summary: str = "") -> Command:
    """The tree of a parser; texts as argparse would print them."""
    path = path or (parser.prog,)
    arguments: list[Argument] = []
    below: list[Command] = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            summaries = {each.dest: each.help or "" for each in action._choices_actions}
            below += [read(child, (*path, name), summaries.get(name, "")) for name, child in action.choices.items()]
        elif action.help != argparse.SUPPRESS:
            arguments.append(_argument(parser, action))
    description = (parser.description or "").strip()
    first = description.split("\n", 1)[0]
    return Command(path, summary or first, description, (parser.epilog or "").strip(), tuple(arguments), tuple(below))


def _argument(parser: argparse.ArgumentParser, action: argparse.Action) -> Argument:
    choices = tuple(map(str, action.choices or ()))
    takes = action.nargs != 0
    value = action.metavar or (f"{{{','.join(choices)}}}" if choices else action.dest.upper().replace("_", "-"))
    value = " ".join(value) if isinstance(value, tuple) else value
    text = parser._get_formatter()._expand_help(action) if action.help else ""
    file = takes and not choices and (action.type is Path or any(word in value.upper() for word in FILES))
    many = action.nargs in ("*", "+")
    required = action.required if action.option_strings else action.nargs not in ("?", "*")
    return Argument(
        tuple(action.option_strings), value if takes else None, " ".join(text.split()), choices, file, required, many
    )
