"""``dataset.json``: what a dataset consists of. Written last, so that a folder without it is a build that was not finished."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final

from eacf_trainer.dataset.schema import SCHEMA_VERSION, DatasetError

INDEX: Final = "dataset.json"
PARTS: Final = "parts"
"""Folder of the Parquet files."""
ID_DIGITS = 12


@dataclass(frozen=True)
class Options:
    """What decides the rows of a dataset, beside the sources."""

    cuts: tuple[str, ...] = ("stream", "records")
    payload_bytes: int = 3000
    """Of the "stream" cut: payload kept at most, and the window at whose end the sample is complete."""
    records: int = 16
    """Of the "records" cut."""
    keep_payload: bool = True
    manifest: str | None = None
    """sha256 of the manifest; None: there is none."""


@dataclass(frozen=True)
class Part:
    """One Parquet file, made of one source."""

    file: str
    """Its name in the folder of parts."""
    rows: int
    bytes: int
    digest: str
    """sha256 of the rows (`columns.Digest`), whatever wrote the Parquet."""
    source: str
    """Name of the source (`sources.Source`)."""
    source_sha256: str
    source_bytes: int
    source_mtime_ns: int
    cut_off: bool = False
    """The capture is damaged, or the recording torn, somewhere; what came before is here."""
    listed: bool = True
    """False: there is a manifest, and this source is not in it."""
    unlisted_connections: int = 0
    """Connections of the source that the manifest does not list; they are left out."""
    unmet_lines: int = 0
    """Lines of the manifest for this source that no connection fits."""
    bad_lines: int = 0
    """Lines of a recording that were skipped."""
    first_bad_lines: tuple[str, ...] = ()
    """What was wrong with the first of them."""


@dataclass(frozen=True)
class Index:
    """The whole file. `parts` are in the order of their rows: by the name of their source."""

    eacf: str
    options: Options
    parts: tuple[Part, ...]
    skipped: tuple[tuple[str, str], ...] = ()
    """Sources that could not be read at all, and why."""
    duplicates: tuple[tuple[str, str], ...] = ()
    """Sources with the content of another, and that one."""

    @property
    def id(self) -> str:
        """Of names and rows: the same sources and options give the same, wherever and in however many processes."""
        digest = hashlib.sha256(f"eacf dataset {SCHEMA_VERSION}\n".encode())
        for part in self.parts:
            if part.rows:
                digest.update(f"{part.digest} {part.source}\n".encode("utf-8", "surrogateescape"))
        return digest.hexdigest()[:ID_DIGITS]

    @property
    def rows(self) -> int:
        return sum(part.rows for part in self.parts)

    def text(self) -> str:
        """As it stands in the file."""
        head = {"schema": SCHEMA_VERSION, "id": self.id, "rows": self.rows}
        return json.dumps(head | asdict(self), indent=1) + "\n"

    @classmethod
    def read(cls, folder: Path) -> Index:
        """That of `folder`; DatasetError where there is none, or none that this eacf reads."""
        path = folder / INDEX
        try:
            document = json.loads(path.read_text("utf-8"))
        except FileNotFoundError:
            raise DatasetError(_missing(folder)) from None
        except (OSError, ValueError) as error:
            raise DatasetError(
                f"{path}: cannot be read ({error}); build the dataset again, into a new folder"
            ) from None
        version = document.get("schema") if isinstance(document, dict) else None
        if version != SCHEMA_VERSION:
            raise DatasetError(
                f"{path}: has schema {version!r}, and this eacf reads {SCHEMA_VERSION};"
                " build the dataset again, into a new folder"
            )
        try:
            index = cls(
                str(document["eacf"]),
                _of(Options, document["options"] | {"cuts": tuple(document["options"]["cuts"])}),
                tuple(
                    _of(Part, part | {"first_bad_lines": tuple(part["first_bad_lines"])}) for part in document["parts"]
                ),
                _pairs(document["skipped"]),
                _pairs(document["duplicates"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise DatasetError(f"{path}: does not say {error}; build the dataset again, into a new folder") from None
        if index.id != document["id"]:
            raise DatasetError(f"{path}: was changed after it was written; build the dataset again, into a new folder")
        return index


def _missing(folder: Path) -> str:
    if not folder.is_dir():
        return f"{folder}: no such folder; make it with `eacf-train dataset ... --out {folder}`"
    if (folder / PARTS).is_dir():
        return (
            f"{folder}: its build was not finished; run the same `eacf-train dataset` again, it goes on where it ended"
        )
    return f"{folder}: is no dataset ({INDEX} is missing); name what `eacf-train dataset` wrote with --out"


def _of(kind: Any, document: dict[str, Any]) -> Any:
    return kind(**{field.name: document[field.name] for field in fields(kind)})


def _pairs(document: Sequence[Sequence[str]]) -> tuple[tuple[str, str], ...]:
    return tuple((str(one), str(other)) for one, other in document)
