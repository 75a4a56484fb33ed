"""Ctrl-C: never lost, and this process's affair alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import weakref

import pytest

from eacf_trainer.processes import THREADS, interrupts_kept


class Thing:
    """Has a finaliser."""


def test_an_interrupt_that_meets_a_finaliser_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    before, hook = signal.getsignal(signal.SIGINT), sys.unraisablehook
    with interrupts_kept() as check:
        check()
        thing = Thing()
        reference = weakref.ref(thing, lambda _: os.kill(os.getpid(), signal.SIGINT))
        del thing  # Python drops what is raised in the callback
        assert reference() is None
        with pytest.raises(KeyboardInterrupt):
            check()
    assert capsys.readouterr().err == ""
    assert (signal.getsignal(signal.SIGINT), sys.unraisablehook) == (before, hook)


def test_an_interrupt_elsewhere_is_raised_where_it_comes() -> None:
    with interrupts_kept(), pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)


def test_one_thread_in_each() -> None:
    program = (
        "import os\nfrom eacf_trainer.processes import THREADS, single_threaded\nsingle_threaded()\n"
        "print(*(os.environ[name] for name in THREADS))"
    )
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert out.split() == ["1"] * len(THREADS)
