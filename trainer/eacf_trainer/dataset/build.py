"""From sources to a dataset: what is there already is kept, the rest is made, the index is written last."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Protocol

import eacf
from eacf.errors import SettingError
from eacf_trainer.dataset.index import INDEX, PARTS, Index, Options, Part
from eacf_trainer.dataset.manifest import Manifest
from eacf_trainer.dataset.parts import about, sync
from eacf_trainer.dataset.read import Dataset
from eacf_trainer.dataset.schema import DatasetError
from eacf_trainer.dataset.sources import Found, Source, find, sha256_of
from eacf_trainer.dataset.work import Skipped, Task

LOCK = ".lock"
MAX_PAYLOAD = 65_536
"""Payload bytes that a sample can have (the wire contract's limit)."""
MAX_RECORDS = 4_096
"""Records that the collector keeps of a connection."""


class Runner(Protocol):
    """Does tasks, wherever; gives the outcome of each when it is done, in any order."""

    def __call__(self, tasks: Sequence[Task], progress: Callable[[int], None]) -> Iterator[Part | Skipped]: ...


@dataclass
class Progress:
    """What is told while a dataset is built. The defaults say nothing."""

    begin: Callable[[int, int], None] = lambda sources, total_bytes: None
    """Gets the number of sources still to read and their bytes."""
    bytes: Callable[[int], None] = lambda done: None
    """Gets how many of these bytes are read."""
    done: Callable[[Part | Skipped], None] = lambda outcome: None
    """Gets what came of a source."""


def build(
    given: Sequence[Path],
    folder: Path,
    options: Options,
    *,
    runner: Runner,
    manifest: Path | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """Make the dataset of the captures and recordings that `given` names (folders are searched), in `folder`.

    SettingError: a mistake in what is asked for; DatasetError: it cannot be written, or nothing was in the sources.
    Whenever this ends early, the next call with the same arguments goes on where it ended.
    """
    progress = progress or Progress()
    _check(options)
    listed = None if manifest is None else Manifest.read(manifest)
    options = replace(options, manifest=None if listed is None else listed.sha256)
    found = find(given, None if listed is None else Path(os.path.abspath(listed.folder)))  # noqa: PTH100 - links stay as they are
    with _locked(folder):
        old = _old_index(folder, options, found)
        parts = _kept(folder, options, found)
        tasks = [_task(source, folder, options, listed) for source in found.sources if source.name not in parts]
        tasks.sort(key=lambda task: -task.source.size)  # the largest first, so that no process ends with it alone
        progress.begin(len(tasks), sum(task.source.size for task in tasks))
        skipped: list[Skipped] = []
        for outcome in runner(tasks, progress.bytes):
            if isinstance(outcome, Skipped):
                skipped.append(outcome)
            else:
                parts[outcome.source] = outcome
            progress.done(outcome)
        index = Index(
            eacf.__version__,
            options,
            tuple(parts[name] for name in sorted(parts)),
            tuple(sorted((each.source, each.reason) for each in skipped)),
            found.duplicates,
        )
        if not index.rows:
            if old is None:
                _remove_others(folder, set())
            raise DatasetError(_nothing(index))
        if old is None or old.text() != index.text():
            _write_index(folder, index)
        _remove_others(folder, {part.file for part in index.parts})
    return Dataset.open(folder)


def _check(options: Options) -> None:
    if not 1 <= options.payload_bytes <= MAX_PAYLOAD:
        raise SettingError(f"--payload-bytes {options.payload_bytes}: must be a number from 1 to {MAX_PAYLOAD:,}")
    if not 1 <= options.records <= MAX_RECORDS:
        raise SettingError(f"--records {options.records}: must be a number from 1 to {MAX_RECORDS:,}")


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """`folder` for nobody else, made if it is not there."""
    if folder.exists() and not folder.is_dir():
        raise SettingError(f"--out {folder}: is a file; name a new folder, or the dataset's")
    if folder.is_dir() and not any((folder / name).exists() for name in (INDEX, PARTS, LOCK)) and any(folder.iterdir()):
        raise SettingError(f"--out {folder}: holds other things than a dataset; name a new folder, or the dataset's")
    try:
        folder.mkdir(0o700, parents=True, exist_ok=True)  # who talked to whom is for its owner's eyes
        (folder / PARTS).mkdir(exist_ok=True)
        file = (folder / LOCK).open("wb")
    except OSError as error:
        raise SettingError(f"--out {folder}: {error.strerror}; name a folder that can be written") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise SettingError(
                f"--out {folder}: another process builds it; wait for it, or name another folder"
            ) from None
        for path in (folder / PARTS).glob(".*.partial"):  # of a process that was killed
            path.unlink(missing_ok=True)
        yield


def _old_index(folder: Path, options: Options, found: Found) -> Index | None:
    """That of a dataset which was finished. SettingError where it is of other options or has other sources, too."""
    if not (folder / INDEX).exists():
        return None
    index = Index.read(folder)
    _same(folder, asdict(index.options), options)
    names = {source.name for source in found.sources} | {name for name, _ in found.duplicates}
    missing = [part.source for part in index.parts if part.source not in names]
    if missing:
        raise SettingError(
            f"--out {folder}: holds the dataset of {len(index.parts)} sources, and {len(missing)} of them were not given"
            f" (the first: {missing[0]}); give them, too, or name a new folder"
        )
    return index


def _same(folder: Path, there: Mapping[str, Any], options: Options) -> None:
    """SettingError where what is there was built with other options."""
    wanted = asdict(options)
    for name, value in wanted.items():
        if _plain(there.get(name)) != _plain(value):
            raise SettingError(
                f"--out {folder}: was begun with {name} {_plain(there.get(name))}, not {_plain(value)};"
                " say the same, or name a new folder"
            )


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _kept(folder: Path, options: Options, found: Found) -> dict[str, Part]:
    """Parts that are there, whole and of a source that did not change since, by the name of the source."""
    sources = {source.name: source for source in found.sources}
    kept = {}
    for path in sorted((folder / PARTS).glob("*.parquet")):
        try:
            written, document = about(path)
        except DatasetError:
            continue  # is made again
        _same(folder, document.get("options", {}), options)
        document |= asdict(written)
        try:
            part = Part(**{field.name: document[field.name] for field in fields(Part)})
        except KeyError:
            continue
        source = sources.get(part.source)
        if source is not None and document["eacf"] == eacf.__version__ and _unchanged(source, part):
            kept[part.source] = replace(
                part, first_bad_lines=tuple(part.first_bad_lines), source_mtime_ns=source.mtime_ns
            )
    return kept


def _unchanged(source: Source, part: Part) -> bool:
    if source.size != part.source_bytes:
        return False
    return source.mtime_ns == part.source_mtime_ns or sha256_of(source.path) == part.source_sha256


def _task(source: Source, folder: Path, options: Options, manifest: Manifest | None) -> Task:
    lines = None if manifest is None else manifest.files.get(source.path.resolve())
    return Task(source, (folder / PARTS).absolute(), options, eacf.__version__, lines)


def _nothing(index: Index) -> str:
    sources = len(index.parts) + len(index.skipped)
    why = f"; {index.skipped[0][0]}: {index.skipped[0][1]}" if index.skipped else ""
    return (
        f"nothing to build a dataset of: {sources} sources hold no connection that would be taken (TLS over TCP with"
        f" application data), {len(index.skipped)} of them cannot be read{why}; give others"
    )


def _write_index(folder: Path, index: Index) -> None:
    beside = folder / f".{INDEX}.partial"
    try:
        with beside.open("w", encoding="utf-8") as file:
            file.write(index.text())
            file.flush()
            os.fsync(file.fileno())
        beside.replace(folder / INDEX)
        sync(folder)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise DatasetError(
            f"{folder}: {error.strerror}; make room there and run the same command again, it goes on where it ended"
        ) from error


def _remove_others(folder: Path, files: set[str]) -> None:
    """Parts of sources that changed since."""
    for path in (folder / PARTS).glob("*.parquet"):
        if path.name not in files:
            path.unlink()
