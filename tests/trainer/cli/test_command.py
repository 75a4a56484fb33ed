"""``eacf-train`` as a shell runs it, and how what goes wrong becomes an exit code."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import eacf
from eacf import console
from eacf_trainer.cli import command, main

COMMANDS = ("dataset", "labels", "recipes", "fit", "evaluate", "export", "report", "experiments", "bundles")


def said(capsys: pytest.CaptureFixture[str], code: int, *arguments: object) -> str:
    """What it says on stderr when it ends with this code, in one line."""
    assert main([str(each) for each in arguments]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("eacf-train: ")
    assert err.count("\n") == 1
    return err


def test_every_command_has_help() -> None:
    names = "\n".join(COMMANDS)
    program = f"""
import sys
from contextlib import redirect_stdout, suppress
from io import StringIO
from eacf_trainer.cli import main
for name in {names!r}.split():
    with redirect_stdout(StringIO()) as out, suppress(SystemExit):
        main([name, "--help"])
    assert out.getvalue().startswith(f"usage: eacf-train {{name}}"), name
    assert len(out.getvalue().splitlines()) > 5, name
print(*({{"tensorflow", "sklearn", "pyarrow", "numpy", "matplotlib", "dask"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "\n", "")  # and nothing heavy is loaded


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    for flag, text in (("--version", f"eacf {eacf.__version__}\n"), ("--help", "usage: eacf-train")):
        with pytest.raises(SystemExit) as ended:
            main([flag])
        assert ended.value.code == 0
        assert capsys.readouterr().out.startswith(text)


def test_a_wrong_command_or_option_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([], ["fti"], ["fit"], ["fit", "x", "--out", "y", "--quick"]):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 2
        assert "usage: eacf-train" in capsys.readouterr().err


def test_mistakes_end_with_2_and_failures_with_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no such recipe" in said(capsys, console.MISTAKE, "recipes", "nothing")
    assert "none.eacf" in said(capsys, console.FAILED, "evaluate", tmp_path / "none.eacf", tmp_path)
    assert "no run folder" in said(capsys, console.MISTAKE, "export", tmp_path, "--out", tmp_path / "x.eacf")
    assert "dataset" in said(capsys, console.FAILED, "evaluate", "testbed", tmp_path / "none")


@pytest.mark.parametrize(
    ("raised", "code", "text"),
    [
        (KeyboardInterrupt(), 130, "interrupted; the same command goes on where it ended"),
        (OSError(28, "No space left on device"), 1, "[Errno 28] No space left on device"),
    ],
)
def test_what_ends_a_command(
    raised: BaseException, code: int, text: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(options: object) -> int:
        raise raised

    monkeypatch.setattr(command.recipes, "run", run)
    assert said(capsys, code, "recipes") == f"eacf-train: {text}\n"


def test_a_closed_pipe_is_no_error() -> None:
    program = "import sys\nfrom eacf_trainer.cli import main\nsys.exit(main(['recipes']))"
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([sys.executable, "-c", program], stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, b"")
