"""Whether an offer may become a transfer: all that can be known of a bundle before a byte of its model is here."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from eacf.bundle.archive import CENTRAL, END, LOCAL, MANIFEST, MAX_BYTES, MEMBERS, MODEL
from eacf.bundle.document import canonical
from eacf.bundle.signing import Signature, read_manifest, verify
from eacf.errors import BundleError
from eacf.keys import Trusted
from eacf.wire import ModelOffer

NAME_DIGITS = 32
AROUND = 2 * LOCAL.size + 2 * CENTRAL.size + END.size + 2 * len(MANIFEST) + 2 * len(MODEL)
"""Bytes of a bundle's file that are neither manifest nor model: it has exactly one form."""


class Known(Protocol):
    """What the store says (`eacf.models.State`)."""

    @property
    def serving(self) -> str | None:
        """Id of the model that serves; None: the one that the worker was started with."""

    @property
    def shadow(self) -> str | None:
        """Id of the model that only scores."""

    @property
    def serials(self) -> Mapping[str, int]:
        """By key, the last number that counted."""


@dataclass(frozen=True, slots=True)
class Offered:
    """An offer whose signature is one that we trust, and whose size is what the signed manifest says."""

    name: str
    """32 hex digits of the manifest's hash: the same file has the same, whoever offers it."""
    model: str
    """Id of the bundle."""
    title: str
    """Name and version, for people."""
    size: int
    signature: Signature


def name_of(manifest: bytes) -> str:
    """The name under which a bundle with that manifest comes in."""
    return hashlib.sha256(manifest).hexdigest()[:NAME_DIGITS]


def check(offer: ModelOffer, trusted: Trusted) -> Offered:
    """The offer, checked as far as its manifest goes: format, features, contract, signature, size. BundleError."""
    if offer.size > MAX_BYTES:
        raise BundleError(f"offer: the file has {offer.size} bytes, a bundle at most {MAX_BYTES}; build a smaller one")
    manifest = read_manifest(offer.manifest)
    signature = verify(manifest, trusted)
    if offer.manifest != canonical(manifest.document):
        # What is signed is the form, not the bytes: a space more would pass, and be another file under another name.
        raise BundleError(
            f"bundle {manifest.id}: its manifest is not in the one form that signing writes; push the file as it was "
            "signed"
        )
    if set(manifest.members) != {MODEL}:
        raise BundleError(f"bundle {manifest.id}: its manifest must tell of {MODEL} and nothing else; build it again")
    model_bytes = manifest.members[MODEL].bytes
    if model_bytes > MEMBERS[MODEL]:
        raise BundleError(
            f"bundle {manifest.id}: {MODEL} has {model_bytes} bytes, at most {MEMBERS[MODEL]} are allowed; build a "
            "smaller bundle"
        )
    size = AROUND + len(offer.manifest) + model_bytes
    if offer.size != size:
        raise BundleError(
            f"bundle {manifest.id}: the offer says {offer.size} bytes, by its manifest the file has {size}; push the "
            "file as it was built"
        )
    title = f"{manifest.name} {manifest.version}"
    return Offered(name_of(offer.manifest), manifest.id, title, size, signature)


def replayed(key: str, serial: int, known: Known) -> str | None:
    """Why a number that was signed counts no more; None: it does."""
    last = known.serials.get(key, 0)
    if serial > last:
        return None
    return (
        f"its serial {serial} is not above {last}, the last of key {key} that was taken here: it is old, or was sent "
        "again by somebody who only listened; sign it again (--key), or roll back"
    )
