"""Who made a bundle: an Ed25519 signature in its manifest, which covers everything, the model by its hash.

Signed is ``b"eacf bundle 1\\n"`` and the canonical manifest with the signature's own fields but its value. The id does not
count the signature, so a bundle that is signed, or signed again with a later serial, keeps its id.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from eacf.bundle import from_bytes
from eacf.bundle.archive import MANIFEST, MEMBERS, MODEL, pack
from eacf.bundle.document import canonical, parse
from eacf.bundle.manifest import Manifest, Signature, read
from eacf.errors import BundleError
from eacf.keys import PrivateKey, Trusted

__all__ = ["Signature", "read_manifest", "sign", "verify"]

PREFIX = b"eacf bundle 1\n"
"""Nothing else that a key signs begins so."""
SIGN = "sign it: `eacf bundle sign FILE --key NAME.key --out FILE`"


def sign(data: bytes, key: PrivateKey, *, serial: int, purpose: str = "serve") -> bytes:
    """The bundle's file with a signature in the place of any that it had. Raises BundleError where it is no bundle.

    `serial` is from :func:`eacf.keys.next_serial`; `purpose` is "serve" or "shadow", and says what a worker does with it.
    """
    bundle = from_bytes(data, "bundle")
    unsigned = {name: value for name, value in bundle.manifest.document.items() if name != "signature"}
    fields: dict[str, object] = {"key": key.id, "serial": serial, "purpose": purpose}
    value = key.sign(PREFIX + canonical(unsigned | {"signature": fields}))
    document = unsigned | {"signature": fields | {"value": base64.b64encode(value).decode()}}
    signed = pack({MANIFEST: canonical(document), MODEL: bundle.model})
    from_bytes(
        signed, "signed bundle"
    )  # what no reader would take (a serial out of range, a manifest too long) fails here
    return signed


def read_manifest(data: bytes) -> Manifest:
    """A manifest member that came without its bundle, checked whole. Raises BundleError."""
    if len(data) > MEMBERS[MANIFEST]:
        raise BundleError(f"{MANIFEST}: has {len(data)} bytes, at most {MEMBERS[MANIFEST]} are allowed")
    return read(parse(data))


def verify(manifest: bytes | Manifest, trusted: Trusted) -> Signature:
    """The signature of a manifest, which needs no byte of the model. Raises BundleError unless one of `trusted` made it.

    The rest of the bundle is the signed one if it passes :func:`eacf.bundle.from_bytes`, which compares the hashes.
    """
    made = read_manifest(manifest) if isinstance(manifest, bytes) else manifest
    signature = made.signature
    where = f"bundle {made.id} ({made.name} {made.version})"
    if signature is None:
        raise BundleError(f"{where}: is not signed; {SIGN}")
    key = trusted.get(signature.key)
    if key is None:
        known = ", ".join(each.id for each in trusted) if 0 < len(trusted) <= 8 else f"{len(trusted)} keys"
        raise BundleError(
            f"{where}: signed by key {signature.key}, which is not trusted (trusted: {known or 'none'}); "
            "add its .pub to the worker's trusted_keys, or sign with a key that is"
        )
    if not key.verifies(base64.b64decode(signature.value), signed_form(made.document)):
        raise BundleError(f"{where}: its signature is not that of key {signature.key}: it was changed; {SIGN}")
    return signature


def signed_form(document: Mapping[str, Any]) -> bytes:
    """What the signature of `document` is over."""
    fields = {name: value for name, value in document["signature"].items() if name != "value"}
    return PREFIX + canonical({**document, "signature": fields})
