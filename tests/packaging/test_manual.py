"""Man pages and completions, made once, and read by what reads them: mandoc, man, bash, zsh, fish."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from eacf.cli.command import parser as serving
from eacf_trainer.cli.command import parser as training


@pytest.fixture(scope="module")
def made(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As a build makes them: by a Python that has nothing else."""
    out = tmp_path_factory.mktemp("manual")
    command = [sys.executable, "-I", "-S", "-B", repository / "packaging/manual", out]
    subprocess.run(command, env={"SOURCE_DATE_EPOCH": "1700000000"}, timeout=60, check=True)
    return out


def need(program: str, package: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"needs {program}, and there is none: apt-get install {package}")


def said(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout + done.stderr


def names(parser: argparse.ArgumentParser, *path: str) -> list[tuple[str, ...]]:
    """Every command, by the words that it is called by."""
    found = [path or (parser.prog,)]
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, below in action.choices.items():
                found += names(below, *found[0], name)
    return found


COMMANDS = [*names(serving()), *names(training())]


def test_every_command_and_option_is_in_a_page(made: Path) -> None:
    assert ("eacf", "model", "rollback") in COMMANDS
    assert len(COMMANDS) > 30
    for path in COMMANDS:
        text = (made / "man/man1" / f"{'-'.join(path[:2])}.1").read_text()
        assert text.startswith(f'.TH "{"-".join(path[:2]).upper()}"'.replace("-", "\\-"))
        if len(path) > 2:
            assert f'.SS "{" ".join(path)}"'.replace("-", "\\-") in text
    worker = (made / "man/man1/eacf-worker.1").read_text()
    for flag in ("--model-store", "--metrics-port", "--config"):
        assert f"\\fB{flag}\\fR".replace("-", "\\-") in worker


def test_mandoc_finds_nothing_wrong(made: Path) -> None:
    need("mandoc", "mandoc")
    assert said("mandoc", "-T", "lint", "-W", "warning", *sorted((made / "man/man1").iterdir())) == ""


def test_a_page_reads_as_its_help(made: Path) -> None:
    need("mandoc", "mandoc")
    text = said("mandoc", "-T", "utf8", "-O", "width=200", made / "man/man1/eacf-model.1")
    plain = "".join(text[at] for at in range(len(text)) if text[at] != "\b" and text[at + 1 : at + 2] != "\b")
    lines = [" ".join(line.split()) for line in plain.splitlines()]
    for line in (
        "eacf-model - models that a worker keeps",
        "eacf model promote [OPTION]... ID|FILE",
        "--key NAME.key",
        "eacf model promote office.eacf --store DIR a file that was carried here by hand",
    ):
        assert line in lines


BASH = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
compopt() { :; }
_eacf
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("wor", ["worker"]),
        ("model pro", ["promote"]),
        ("model promote --st", ["--store"]),
        ("--config x worker --metrics-p", ["--metrics-port"]),
        ("worker --bundle LICEN", ["LICENSE"]),
        ("worker --bundle = LICEN", ["LICENSE"]),
        ("collect --needs pay", ["payload"]),
        ("worker --metrics-port ", []),
        ("replay LICEN", ["LICENSE"]),
        ("status LICEN", []),
    ],
)
def test_bash_completes(words: str, expected: list[str], made: Path, repository: Path) -> None:
    command = ["bash", "-c", BASH, "bash", made / "bash-completion/completions/eacf", "eacf", *words.split(" ")]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, timeout=60, check=True)
    assert (done.stdout.split(), done.stderr) == (expected, "")


def test_bash_knows_the_flags_of_each_command(made: Path) -> None:
    command = ["bash", "-c", BASH, "bash", made / "bash-completion/completions/eacf", "eacf", "worker", "--"]
    flags = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.split()
    options = subprocess.run(
        [sys.executable, "-m", "eacf", "worker", "--help"], capture_output=True, text=True, check=True
    )
    assert len(flags) > 15
    assert all(flag in options.stdout for flag in flags)


@pytest.mark.parametrize("name", ["eacf", "eacf-train"])
def test_zsh_reads_it(name: str, made: Path) -> None:
    need("zsh", "zsh")
    path = made / f"zsh/site-functions/_{name}"
    # Its functions run outside of a completion, so that each _arguments is known and told what it got.
    checks = "autoload -U compinit; compinit -D -u; _arguments() { [[ $1 == -s ]] && print -- $#; return 1; }; _describe() { : }; "
    told = said("zsh", "-f", "-c", checks + 'source "$1"', "zsh", path).split()
    assert told
    assert all(each.isdigit() and int(each) > 4 for each in told)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("eacf wor", "worker\tserve a bus that runs"),
        ("eacf model pro", "promote\t"),
        ("eacf worker --metrics-p", "--metrics-port\t"),
        ("eacf collect --needs pay", "payload\t"),
        ("eacf replay LICEN", "LICENSE"),
    ],
)
def test_fish_completes(line: str, expected: str, made: Path, repository: Path) -> None:
    need("fish", "fish")
    script = f"source {made}/fish/vendor_completions.d/eacf.fish; complete -C '{line}'"
    done = subprocess.run(
        ["fish", "--no-config", "-c", script], cwd=repository, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == ""
    assert [found for found in done.stdout.splitlines() if found.startswith(expected)], done.stdout
