"""What becomes of a command that goes wrong."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from eacf.console import FAILED, FINE, INTERRUPTED, MISTAKE, guarded
from eacf.errors import BundleError, SettingError


def ending(error: BaseException) -> Callable[[], int]:
    def run() -> int:
        raise error

    return run


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (SettingError("--jobs 0: must be 1 or more"), MISTAKE, "eacf: --jobs 0: must be 1 or more\n"),
        (BundleError("x.eacf: is none"), FAILED, "eacf: x.eacf: is none\n"),
        (OSError(28, "No space left on device"), FAILED, "eacf: [Errno 28] No space left on device\n"),
        (KeyboardInterrupt(), INTERRUPTED, ""),
    ],
)
def test_what_goes_wrong_is_a_line_and_a_code(
    error: BaseException, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert guarded("eacf", ending(error)) == code
    assert capsys.readouterr() == ("", said)


def test_a_command_may_say_something_after_an_interrupt(capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded("eacf-train", ending(KeyboardInterrupt()), "interrupted") == INTERRUPTED
    assert capsys.readouterr().err == "eacf-train: interrupted\n"


@pytest.mark.parametrize("code", [FINE, FAILED])
def test_a_command_that_ends_has_its_own_code(code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded("eacf", lambda: code) == code
    assert capsys.readouterr() == ("", "")


def test_a_bug_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        guarded("eacf", ending(ZeroDivisionError()))
