"""Man pages in the macros of man(7), which groff and mandoc both know."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from tree import Argument, Command

SECTIONS = {"examples": "EXAMPLES", "exit codes": "EXIT STATUS"}
"""Paragraphs of a command's epilog that have a section of their own, by what they begin with."""


def pages(program: Command, *, version: str, date: str) -> Iterator[tuple[str, str]]:
    """A page for the program and one for each of its commands, those below it in the same page: file name, text."""
    for command in (program, *program.commands):
        yield f"{'-'.join(command.path)}.1", _page(command, program, version, date)


def _page(command: Command, program: Command, version: str, date: str) -> str:
    name = "-".join(command.path)
    summary = command.summary if command.summary[-1:] != "." else command.summary[:-1]
    head, tail = _epilog(command.epilog)
    lines = [
        f'.TH "{_text(name.upper())}" "1" "{date}" "eacf {version}" "eacf"',
        ".SH NAME",
        f"{name} \\- {_text(summary[:1].lower() + summary[1:])}",
        ".SH SYNOPSIS",
        *_synopsis(command),
        ".SH DESCRIPTION",
        *_prose(command.description),
        *_prose("\n\n".join(head)),
    ]
    if command is program:
        lines += [".SH COMMANDS"]
        for each in program.commands:
            lines += [".TP", f"\\fB{_text('-'.join(each.path))}\\fR(1)", _begin(_text(each.summary))]
        lines += _arguments(program.arguments, ".SH")
    else:
        lines += _arguments(command.arguments, ".SH")
        if command.commands:
            lines.append(".SH COMMANDS")
        for each in (each for below in command.commands for each in below.walk()):
            lines += [f'.SS "{_text(each.name)}"', *_synopsis(each), ".PP", *_prose(_own_words(each, command))]
            lines += _arguments([option for option in each.arguments if "--help" not in option.flags], ".PP")
            head_below, tail_below = _epilog(each.epilog)
            for paragraph in (*head_below, *(f"{title.capitalize()}:\n{body}" for title, body in tail_below)):
                lines += [".PP", *_prose(paragraph)]
    for title, body in tail:
        lines += [f".SH {title}", *_prose(body)]
    others = [each for each in (program, *program.commands) if each is not command]
    lines += [".SH SEE ALSO", ",\n".join(f"\\fB{_text('-'.join(each.path))}\\fR(1)" for each in others)]
    kept: list[str] = []
    for line in lines:  # a paragraph needs no break after a heading, nor two
        if line == ".PP" and kept and kept[-1][:3] in (".SH", ".SS", ".PP"):
            continue
        kept.append(line)
    return "\n".join(kept) + "\n"


def _own_words(command: Command, above: Command) -> str:
    """What is said of a command; its summary where the rest is what is said of all."""
    if command.description and command.description != above.description:
        return command.description
    return f"{command.summary[:1].upper()}{command.summary[1:]}."


def _synopsis(command: Command) -> Iterator[str]:
    words = [f"\\fB{_text(command.name)}\\fR"]
    words += [_shown(each) for each in command.options if each.required]
    if any(not each.required for each in command.options):
        words.append("[\\fIOPTION\\fR]...")
    if command.commands:
        words += ["\\fICOMMAND\\fR", "..."]
    for each in command.positionals:
        word = f"\\fI{_text(each.value or '')}\\fR" + ("..." if each.many else "")
        words.append(word if each.required else f"[{word}]")
    yield " ".join(words)


def _shown(option: Argument) -> str:
    value = "" if option.value is None else f" \\fI{_text(option.value)}\\fR"
    return ", ".join(f"\\fB{_text(flag)}\\fR" for flag in option.flags) + value


def _arguments(arguments: Iterable[Argument], heading: str) -> Iterator[str]:
    arguments = tuple(arguments)
    if arguments and heading == ".SH":
        yield ".SH OPTIONS"
    for each in sorted(arguments, key=lambda each: bool(each.flags)):
        yield ".TP"
        yield _shown(each) if each.flags else f"\\fI{_text(each.value or '')}\\fR" + ("..." if each.many else "")
        missing = each.choices and not all(choice in (each.value or "") for choice in each.choices)
        text = each.text + (f" (one of: {', '.join(each.choices)})" if missing else "")
        yield _begin(_text(text)) if text else "\\&"


def _epilog(epilog: str) -> tuple[list[str], list[tuple[str, str]]]:
    """Paragraphs that are description, and those that are sections of their own, with their titles."""
    head, tail = [], []
    for paragraph in re.split(r"\n[ \t]*\n", epilog) if epilog else []:
        word, _, body = paragraph.partition(":")
        if title := SECTIONS.get(word.strip().lower()):
            tail.append((title, body.strip("\n") if body.startswith("\n") else body.strip()))
        else:
            head.append(paragraph)
    return head, tail


def _prose(text: str) -> Iterator[str]:
    """Paragraphs are filled; lines that are indented stay as they are."""
    for number, paragraph in enumerate(part for part in re.split(r"\n[ \t]*\n", text) if part.strip()):
        if number:
            yield ".PP"
        verbatim = False
        for line in paragraph.splitlines():
            indented = line.startswith("  ")
            if indented != verbatim:
                verbatim = indented
                yield from ((".PP", ".nf", ".RS 4") if indented else (".RE", ".fi"))
            yield _begin(_text(line[2:] if indented else line.strip()))
        if verbatim:
            yield from (".RE", ".fi")


def _text(text: str) -> str:
    """Characters that mean something to roff as themselves."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")
    return text.replace("^", "\\(ha").replace("~", "\\(ti").replace('"', "\\(dq")


def _begin(line: str) -> str:
    """A line that begins with a dot is no macro."""
    return f"\\&{line}" if line[:1] == "." else line
