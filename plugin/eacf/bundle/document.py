"""The manifest as a JSON object: read without two readings, written in one form, and the id that follows from it."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

from eacf.bundle.archive import COPY
from eacf.bundle.fields import REBUILD, Table
from eacf.errors import BundleError

ID_DIGITS = 12
NOT_IN_ID = ("id", "signature")


def canonical(document: Mapping[str, Any]) -> bytes:
    """The one form of a JSON object that is hashed: keys sorted, no spaces, other than ASCII escaped.

    Raises BundleError for what JSON cannot say.
    """
    try:
        return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")
    except (TypeError, ValueError, RecursionError) as error:
        raise BundleError(f"manifest: cannot be written as JSON ({error}); correct it and {REBUILD}") from error


def identity(document: Mapping[str, Any]) -> str:
    """The id that belongs to `document`."""
    hashed = {key: value for key, value in document.items() if key not in NOT_IN_ID}
    return hashlib.sha256(canonical(hashed)).hexdigest()[:ID_DIGITS]


def parse(data: bytes) -> dict[str, Any]:
    """The JSON object in `data`. Refuses what has two readings: a key said twice, numbers that are not finite."""
    try:
        document = json.loads(
            data.decode("utf-8"), object_pairs_hook=_object, parse_float=_float, parse_constant=_float
        )
    except BundleError:
        raise
    except (ValueError, RecursionError) as error:
        raise BundleError(f"manifest: is not JSON ({type(error).__name__}); {COPY}") from error
    return Table(document, "manifest").value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise BundleError(f"manifest: an object says one of its keys twice; {REBUILD}")
    return made


def _float(said: str) -> float:
    value = float(said)
    if not math.isfinite(value):
        raise BundleError(f"manifest: holds a number that is not finite; {REBUILD}")
    return value
