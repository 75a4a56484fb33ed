"""Processes that work for this one: they end with it, however it ends, and Ctrl-C is its affair alone."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

STDERR = 2
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


def end_with_parent() -> None:
    """To be called in a process that was started: it ends when the one that started it has ended."""
    threading.Thread(target=_watch, daemon=True).start()


def _watch() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def signals_held() -> Iterator[None]:
    """Processes that are started meanwhile never get Ctrl-C themselves; this one gets it afterwards."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT,))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def interrupts_kept() -> Iterator[Callable[[], None]]:
    """A check to be called now and then: it raises KeyboardInterrupt if Ctrl-C came and was lost.

    It is raised wherever this process stands, and where that is a finaliser, of which TensorFlow runs many, Python prints and drops it.
    """
    before, came = signal.getsignal(signal.SIGINT), False
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield lambda: None
        return

    def keep(number: int, frame: Any) -> None:
        nonlocal came
        came = True
        before(number, frame)

    def check() -> None:
        if came:
            raise KeyboardInterrupt

    told = sys.unraisablehook

    def quiet(dropped: Any) -> None:
        if not issubclass(dropped.exc_type, KeyboardInterrupt):
            told(dropped)

    signal.signal(signal.SIGINT, keep)
    sys.unraisablehook = quiet
    try:
        yield check
    finally:
        sys.unraisablehook = told
        signal.signal(signal.SIGINT, before)


def single_threaded() -> None:
    """Let a process that has not loaded numpy or TensorFlow yet use one thread in each.

    Trainings side by side use a machine better than threads inside one, and sums do not depend on the number of cores.
    """
    for name in THREADS:
        os.environ[name] = "1"
    os.environ["CUDA_VISIBLE_DEVICES"] = ""


@contextmanager
def hushed(log: Path | None = None) -> Iterator[None]:
    """What libraries and started processes write to standard error goes to `log` (None: nowhere); our own words go where they went.

    TensorFlow's own levels do not silence all that it and its converter say.
    """
    ours = sys.stderr
    try:
        whole = ours.fileno() == STDERR
    except (OSError, ValueError):  # somebody took it, as a test does
        whole = False
    if not whole:
        yield
        return
    terminal = os.dup(STDERR)
    sink = os.open(log or os.devnull, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(sink, STDERR)
    os.close(sink)
    try:
        with os.fdopen(os.dup(terminal), "w", buffering=1, errors="backslashreplace") as sys.stderr:
            yield
    finally:
        sys.stderr = ours
        os.dup2(terminal, STDERR)
        os.close(terminal)
