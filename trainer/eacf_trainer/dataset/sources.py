"""What a dataset is built of: captures, recordings and databases of samples, found, named alike on every machine, each content once."""

from __future__ import annotations

import hashlib
import os
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final, Literal

from eacf.errors import SettingError

PATTERNS: Final = ("*.pcap*", "*.jsonl", "*.jsonl.gz", "*.db")
"""What is looked for in a folder."""
RECORDING_ENDS: Final = (".gz", ".jsonl", ".stream", ".records")
"""Taken from a recording's name to get that of its capture, in this order: the cuts of one capture may lie in two files."""
SQLITE_MAGIC: Final = b"SQLite format 3\0"
GZIP_MAGIC: Final = b"\x1f\x8b"
SNIFF_BYTES = 4096

Kind = Literal["capture", "recording", "store"]


@dataclass(frozen=True)
class Source:
    """A file to read."""

    path: Path
    name: str
    """Folder and file: the folder given and what is below it, or the folder that holds a file given by name; below the
    manifest's folder: the path from there."""
    size: int
    mtime_ns: int


@dataclass(frozen=True)
class Found:
    """All files, by name."""

    sources: tuple[Source, ...]
    duplicates: tuple[tuple[str, str], ...]
    """Names of files left out, and of the one with the same content."""


def find(given: Sequence[Path], root: Path | None = None) -> Found:
    """The files that `given` names, folders searched. `root`: the manifest's folder.

    SettingError where one is not there, or where two of different content would have the same name.
    """
    files: dict[Path, Source] = {}
    for source in sorted((each for path in given for each in _listed(path, root)), key=lambda each: each.name):
        files.setdefault(source.path.resolve(), source)
    if not files:
        raise SettingError(
            f"no capture, recording or database of samples in {', '.join(map(str, given))} ({', '.join(PATTERNS)})"
        )
    sources, duplicates = _once(sorted(files.values(), key=lambda each: (each.name, str(each.path))))
    names = Counter(source.name for source in sources)
    twice = [str(source.path) for source in sources if names[source.name] > 1]
    if twice:
        raise SettingError(
            f"{twice[0]} and {twice[1]} would both be called the same; give the folder above both instead"
        )
    return Found(sources, duplicates)


def kind_of(head: bytes, name: str) -> Kind:
    """By the first bytes of a file, which may be gzip; where it is empty, by its name."""
    if head.startswith(SQLITE_MAGIC):
        return "store"
    if head.startswith(GZIP_MAGIC):
        try:
            head = zlib.decompressobj(31).decompress(head, SNIFF_BYTES)
        except zlib.error:
            return "capture"
    if not head:
        return "recording" if name.endswith((".jsonl", ".jsonl.gz")) else "capture"
    return "recording" if head.startswith(b"{") else "capture"


def recorded_capture(name: str) -> str:
    """What a recording called `name` is a recording of."""
    for end in RECORDING_ENDS:
        name = name.removesuffix(end)
    return name


def _listed(given: Path, root: Path | None) -> Iterator[Source]:
    path = Path(os.path.abspath(given))  # noqa: PTH100 - links stay as they are
    if path.is_dir():
        found = {each for pattern in PATTERNS for each in path.rglob(pattern)}
        files = sorted(each for each in found if each.is_file() and not each.name.startswith("."))
    elif path.exists():
        files = [path]
    else:
        raise SettingError(f"{given}: no such file or folder; name captures, recordings or databases that exist")
    above = path.parent if path.is_dir() else path.parent.parent
    for file in files:
        base = root if root is not None and file.is_relative_to(root) else above
        name = os.fsencode(file.relative_to(base).as_posix()).decode("utf-8", "backslashreplace")
        yield Source(file, name, *_size_and_time(file))


def _size_and_time(file: Path) -> tuple[int, int]:
    """With the log beside it, where there is one: a database changes there first."""
    about = file.stat()
    try:
        log = file.with_name(file.name + "-wal").stat()
    except OSError:
        return about.st_size, about.st_mtime_ns
    return about.st_size + log.st_size, max(about.st_mtime_ns, log.st_mtime_ns) if log.st_size else about.st_mtime_ns


def _once(sources: Iterable[Source]) -> tuple[tuple[Source, ...], tuple[tuple[str, str], ...]]:
    """Without those whose content another one has, too. Only files of equal size are read for that."""
    kept: list[Source] = []
    duplicates: list[tuple[str, str]] = []
    for _, group in groupby(sorted(sources, key=lambda each: each.size), lambda each: each.size):
        alike = list(group)
        if len(alike) == 1 or not alike[0].size:
            kept += alike
            continue
        first: dict[str, Source] = {}
        for source in alike:
            same = first.setdefault(sha256_of(source.path), source)
            if same is source:
                kept.append(source)
            else:
                duplicates.append((source.name, same.name))
    return tuple(sorted(kept, key=lambda each: (each.name, str(each.path)))), tuple(sorted(duplicates))


def sha256_of(path: Path) -> str:
    """Of a file's content; one that cannot be read is like no other."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return f"unreadable {path}"
