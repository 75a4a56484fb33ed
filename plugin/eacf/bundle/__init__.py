"""A bundle: one file that holds a quantised model and the manifest that says how to use it.

It is read into memory and checked whole before anyone uses it; what only the runtime can tell (shapes, types, scales,
golden rows) :class:`eacf.inference.Model` checks. The id is a content hash: it tells of change, not of who made the
bundle; that does a signature (:mod:`eacf.bundle.signing`).
"""

from __future__ import annotations

import base64
import hashlib
import json
import stat
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eacf.bundle.archive import COPY, MANIFEST, MAX_BYTES, MODEL, pack, unpack
from eacf.bundle.document import canonical, identity, parse
from eacf.bundle.fields import REBUILD
from eacf.bundle.manifest import FORMATS, LATER, MAX_GOLDEN, Golden, Manifest, Member, Scale, Signature, read
from eacf.errors import BundleError
from eacf.features import Features, from_spec
from eacf.files import replace
from eacf.flow import Needs

__all__ = [
    "Bundle",
    "Golden",
    "Manifest",
    "Member",
    "Scale",
    "Signature",
    "default_path",
    "find",
    "from_bytes",
    "golden",
    "load",
    "read_file",
    "shipped",
    "write",
]

TFLITE_MAGIC = b"TFL3"  # file_identifier of tensorflow/compiler/mlir/lite/schema/schema.fbs, at byte 4 of a flatbuffer
SHIPPED = Path(__file__).resolve().parents[1] / "bundles"
DEFAULT = "public"
WRITTEN = ("format", "id", "members", "needs")


@dataclass(frozen=True, slots=True)
class Bundle:
    """A checked bundle. Made by :func:`load`, :func:`from_bytes` or :func:`write`."""

    manifest: Manifest
    model: bytes
    """The flatbuffer."""
    source: str
    """Where it was read from, for messages."""

    @property
    def id(self) -> str:
        """12 hex digits of the content's hash; what verdicts call the model."""
        return self.manifest.id

    @property
    def name(self) -> str:
        return self.manifest.name

    @property
    def version(self) -> str:
        return self.manifest.version

    @property
    def labels(self) -> tuple[str, ...]:
        return self.manifest.labels

    @property
    def features(self) -> Features:
        return self.manifest.features

    @property
    def needs(self) -> Needs:
        return self.manifest.needs

    def sni_label(self, server_name: str | None) -> str | None:
        """What the server name says by the label map, or None. The label need not be one of the model's."""
        return self.manifest.label_map.label(server_name)


def default_path() -> Path:
    """The bundle that a worker serves unless told otherwise."""
    return SHIPPED / f"{DEFAULT}.eacf"


def shipped() -> list[str]:
    """Names of the bundles that eacf ships."""
    return sorted(path.stem for path in SHIPPED.glob("*.eacf"))


def find(name_or_file: str | Path | None) -> Path:
    """A bundle's file: that of a shipped one by its name (`testbed`), else the file itself, which need not be there.

    None: the one that a worker serves unless told otherwise.
    """
    if name_or_file is None:
        return default_path()
    return SHIPPED / f"{name_or_file}.eacf" if str(name_or_file) in shipped() else Path(name_or_file)


def load(path: str | Path) -> Bundle:
    """Read a bundle's file whole, then check it. Raises BundleError."""
    return from_bytes(read_file(path), str(path))


def read_file(path: str | Path) -> bytes:
    """The bytes of a regular file, no more than a bundle may have and one. Raises BundleError."""
    try:
        if not stat.S_ISREG(Path(path).stat().st_mode):  # before it is opened: a pipe without a writer would block
            raise BundleError(f"{path}: is not a regular file; name a bundle's file (.eacf)")
        with Path(path).open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise BundleError(f"{path}: cannot be read ({error.strerror}); name a bundle's file (.eacf)") from error


def from_bytes(data: bytes, source: str) -> Bundle:
    """Check a bundle whole. `source` names it in messages. Raises BundleError."""
    return _check(data, source, strict=False)


def _check(data: bytes, source: str, *, strict: bool) -> Bundle:
    try:
        members = unpack(data)
        manifest = read(parse(members.pop(MANIFEST)), strict=strict)
        if set(manifest.members) != set(members):
            raise BundleError(f"manifest.members: must tell of {', '.join(members)}; {REBUILD}")
        for name, member in members.items():
            if _member(member) != manifest.members[name]:
                raise BundleError(
                    f"{name}: is not the one that the manifest tells of (size or SHA-256 differs); {COPY}"
                )
        if members[MODEL][4:8] != TFLITE_MAGIC:
            raise BundleError(f"{MODEL}: is not a TensorFlow Lite flatbuffer; {REBUILD}")
    except BundleError as error:
        raise BundleError(f"{source}: {error}") from error
    return Bundle(manifest, members[MODEL], source)


def _member(data: bytes) -> Member:
    return Member(hashlib.sha256(data).hexdigest(), len(data))


def write(path: str | Path, manifest: Mapping[str, Any], model: bytes) -> Bundle:
    """Write a bundle beside `path`, then put it there in one step, so that no reader ever sees half of one.

    `manifest` is without `format`, `id`, `members` and `needs`, which are filled in (and overwritten).
    The same manifest and model give the same bytes. If a reader would refuse it, BundleError is raised
    and nothing written.
    """
    given = {key: value for key, value in manifest.items() if key not in WRITTEN}
    given["needs"] = asdict(from_spec(manifest.get("features")).needs)
    calibration = given.get("calibration")
    newer = isinstance(calibration, Mapping) and any(key in calibration for key in LATER)
    given |= {"format": FORMATS[newer], "members": {MODEL: asdict(_member(model))}}
    document = json.loads(canonical(given))
    document["id"] = identity(document)
    data = pack({MANIFEST: canonical(document), MODEL: model})
    bundle = _check(data, str(path), strict=True)
    replace(Path(path), data)
    return bundle


def golden(inputs: NDArray[np.uint8], outputs: NDArray[Any], tolerance: int = 8) -> dict[str, object]:
    """A manifest's `golden`: rows of features, (n, *shape) uint8, and the model's quantised outputs, (n, outputs).

    At most 16 rows. The default tolerance is what the same model was seen to differ by without XNNPACK.
    """
    if len(inputs) > MAX_GOLDEN or len(inputs) != len(outputs):
        raise ValueError(f"golden: {len(inputs)} inputs, {len(outputs)} outputs; as many of each, {MAX_GOLDEN} at most")
    return {
        "inputs": [base64.b64encode(np.ascontiguousarray(row).tobytes()).decode() for row in inputs],
        "outputs": [[int(value) for value in row] for row in outputs],
        "tolerance": tolerance,
    }
