"""Completion for bash, zsh and fish: commands, options with their texts, words that a value may be, file names."""

from __future__ import annotations

from collections.abc import Iterator

from tree import Argument, Command

NOTE = "made from the program's own help; see packaging/manual"


def bash(program: Command) -> str:
    """For bash 4 and newer; needs nothing of the package bash-completion."""
    name = program.path[0]
    function = _identifier(name)
    below = [each.name for each in program.walk()][1:]
    lines = [
        f"# bash completion of {name}: {NOTE}.",
        f"{function}() {{",
        f"    local current=${{COMP_WORDS[COMP_CWORD]}} path={_quoted(name)} words='' options='' word at",
        "    local previous=${COMP_WORDS[COMP_CWORD-1]}",
        "    if [[ $current == = ]]; then current=''",
        "    elif [[ $previous == = ]]; then previous=${COMP_WORDS[COMP_CWORD-2]}",
        "    fi",
        "    for ((at = 1; at < COMP_CWORD; at++)); do",
        '        case "$path ${COMP_WORDS[at]}" in',
        f'            {" | ".join(map(_quoted, below))}) path+=" ${{COMP_WORDS[at]}}" ;;',
        "        esac",
        "    done",
        "    COMPREPLY=()",
        '    case "$path $previous" in',
    ]
    for command in program.walk():
        for option in command.options:
            if option.value is None:
                continue
            pattern = " | ".join(_quoted(f"{command.name} {flag}") for flag in option.flags)
            if option.choices:
                lines.append(f"        {pattern}) words={_quoted(' '.join(option.choices))} ;;&")
            if option.file:
                action = 'compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current")'
            else:
                action = 'mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")'
            lines.append(f"        {pattern}) {action}; return ;;")
    lines += ["    esac", "    case $path in"]
    for command in program.walk():
        flags = " ".join(flag for option in command.options for flag in option.flags)
        words = " ".join(_words(command))
        lines.append(f"        {_quoted(command.name)}) options={_quoted(flags)} words={_quoted(words)} ;;")
    lines += [
        "    esac",
        "    [[ $current == -* ]] && words=$options",
        '    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")',
        "    if [[ $current != -* ]]; then",
        "        case $path in",
        *(f"            {_quoted(each.name)}) ;;" for each in program.walk() if not _takes_files(each)),
        '            *) compopt -o filenames; mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$current") ;;',
        "        esac",
        "    fi",
        "}",
        f"complete -F {function} {name}",
    ]
    return "\n".join(lines) + "\n"


def zsh(program: Command) -> str:
    """A function for each command, in the words of _arguments."""
    lines = [f"#compdef {program.path[0]}", f"# {NOTE}.", ""]
    for command in reversed([*program.walk()]):
        specs = [_zsh_option(option) for option in command.options]
        lines += [f"{_identifier(command.name)}() {{"]
        if command.commands:
            lines += ["    local context state state_descr line", "    typeset -A opt_args"]
            specs += ["'1: :->command'", "'*:: :->rest'"]
        else:
            specs += [_zsh_positional(each) for each in command.positionals]
        lines += ["    _arguments -s -S -C \\", *(f"        {each} \\" for each in specs), "        && return 0"]
        if command.commands:
            lines += [
                "    case $state in",
                "        command)",
                "            local -a commands",
                "            commands=(",
            ]
            lines += [
                f"                {_quoted(each.path[-1] + ':' + each.summary.replace(':', chr(92) + ':'))}"
                for each in command.commands
            ]
            lines += ["            )", "            _describe command commands ;;", "        rest)"]
            lines += ["            case $line[1] in"]
            lines += [f"                {each.path[-1]}) {_identifier(each.name)} ;;" for each in command.commands]
            lines += ["            esac ;;", "    esac"]
        lines += ["}", ""]
    lines.append(f'{_identifier(program.name)} "$@"')
    return "\n".join(lines) + "\n"


def fish(program: Command) -> str:
    """For fish 3 and newer."""
    name = program.path[0]
    function = f"_{_identifier(name)}_at"
    below = [each.name for each in program.walk()][1:]
    lines = [
        f"# fish completion of {name}: {NOTE}.",
        f"function {function}",
        f"    set -l path {_fish(name)}",
        "    for word in (commandline -opc)[2..-1]",
        '        switch "$path $word"',
        f"            case {' '.join(map(_fish, below))}",
        '                set path "$path $word"',
        "        end",
        "    end",
        '    test "$path" = "$argv"',
        "end",
        f"complete -c {name} -f",
    ]
    for command in program.walk():
        begin = f"complete -c {name} -n {_fish(f'{function} {command.name}')}"
        lines += [f"{begin} -a {_fish(each.path[-1])} -d {_fish(each.summary)}" for each in command.commands]
        for each in command.positionals:
            if each.choices:
                lines.append(f"{begin} -a {_fish(' '.join(each.choices))} -d {_fish(each.text)}")
        if _takes_files(command):
            lines.append(f"{begin} -F")
        for option in command.options:
            flags = " ".join(f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}" for flag in option.flags)
            value = "" if option.value is None else " -r -F" if option.file else " -x"
            words = f" -a {_fish(' '.join(option.choices))}" if option.choices else ""
            lines.append(f"{begin} {flags}{value}{words} -d {_fish(option.text)}")
    return "\n".join(lines) + "\n"


def _words(command: Command) -> Iterator[str]:
    for each in command.commands:
        yield each.path[-1]
    for each in command.positionals:
        yield from each.choices


def _takes_files(command: Command) -> bool:
    return any(each.file for each in command.positionals)


def _zsh_option(option: Argument) -> str:
    value = "" if option.value is None else f":{_zsh_text(option.value)}:{_zsh_action(option)}"
    text = f"[{_zsh_text(option.text)}]"
    if len(option.flags) == 1:
        return _quoted(f"{option.flags[0]}{text}{value}")
    flags = ",".join(option.flags)
    return f"{_quoted('(' + ' '.join(option.flags) + ')')}{{{flags}}}{_quoted(text + value)}"


def _zsh_positional(argument: Argument) -> str:
    mark = "*" if argument.many else "" if argument.required else ":"
    return _quoted(f"{mark}:{_zsh_text(argument.value or '')}:{_zsh_action(argument)}")


def _zsh_action(argument: Argument) -> str:
    return f"({' '.join(argument.choices)})" if argument.choices else "_files" if argument.file else " "


def _zsh_text(text: str) -> str:
    for character in "\\[]:":
        text = text.replace(character, "\\" + character)
    return text


def _identifier(name: str) -> str:
    return "_" + name.replace(" ", "_").replace("-", "_")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _fish(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
