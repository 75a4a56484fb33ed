from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eacf import bundle, keys
from eacf.bundle import archive, document, signing
from eacf.errors import BundleError

Manifest = dict[str, Any]


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> keys.PrivateKey:
    made, _ = keys.new(tmp_path_factory.mktemp("keys") / "ops")
    return made


@pytest.fixture
def trusted(key: keys.PrivateKey) -> keys.Trusted:
    return keys.Trusted([key.public])


@pytest.fixture
def data(tmp_path: Path, manifest: Manifest, model: bytes) -> bytes:
    bundle.write(tmp_path / "a", manifest, model)
    return (tmp_path / "a").read_bytes()


def parts(data: bytes) -> tuple[Manifest, bytes]:
    members = archive.unpack(data)
    return document.parse(members[archive.MANIFEST]), members[archive.MODEL]


def test_a_signed_bundle_is_the_same_bundle(data: bytes, key: keys.PrivateKey, trusted: keys.Trusted) -> None:
    before, signed = bundle.from_bytes(data, "a"), signing.sign(data, key, serial=7)
    after = bundle.from_bytes(signed, "b")
    assert (after.id, after.model) == (before.id, before.model)
    assert after.manifest.signature == signing.verify(after.manifest, trusted)
    members = archive.unpack(signed)
    found = signing.verify(members[archive.MANIFEST], trusted)  # before any byte of the model is there
    assert (found.key, found.serial, found.purpose) == (key.id, 7, "serve")
    assert before.manifest.signature is None


def test_signed_again_it_has_one_signature(data: bytes, key: keys.PrivateKey, trusted: keys.Trusted) -> None:
    once = signing.sign(data, key, serial=7)
    again = signing.sign(once, key, serial=8, purpose="shadow")
    assert signing.sign(again, key, serial=7) == once
    found = signing.verify(bundle.from_bytes(again, "a").manifest, trusted)
    assert (found.serial, found.purpose) == (8, "shadow")


def test_unsigned_strange_and_untrusted(
    tmp_path: Path, data: bytes, key: keys.PrivateKey, trusted: keys.Trusted
) -> None:
    other, _ = keys.new(tmp_path / "other")
    unsigned = bundle.from_bytes(data, "a").manifest
    strange = bundle.from_bytes(signing.sign(data, other, serial=1), "a").manifest
    for manifest, known, problem in (
        (unsigned, trusted, "is not signed; sign it: `eacf bundle sign"),
        (strange, trusted, f"signed by key {other.id}, which is not trusted \\(trusted: {key.id}\\)"),
        (strange, keys.Trusted(), r"not trusted \(trusted: 0 keys\)"),
    ):
        with pytest.raises(BundleError, match=problem) as caught:
            signing.verify(manifest, known)
        assert f"bundle {unsigned.id} (tiny 1.0)" in str(caught.value)


CHANGES: list[tuple[str, Any]] = [
    ("name", "other"),
    ("version", "2.0"),
    ("label_map", {}),
    ("thresholds", {"web": 0.0, "mail": 0.0}),
    ("training", {"lineage": None}),
    ("stranger", 1),
]


@pytest.mark.parametrize(("field", "value"), CHANGES)
def test_what_was_changed_after_it_was_signed(
    data: bytes,
    key: keys.PrivateKey,
    trusted: keys.Trusted,
    forge: Callable[..., bytes],
    field: str,
    value: Any,
) -> None:
    manifest, model = parts(signing.sign(data, key, serial=7))
    changed = bundle.from_bytes(forge(manifest | {field: value}, model), "a")  # whose id is right again
    with pytest.raises(BundleError, match=r"its signature is not that of key [0-9a-f]{16}: it was changed; sign it"):
        signing.verify(changed.manifest, trusted)


@pytest.mark.parametrize("change", [{"serial": 8}, {"purpose": "shadow"}, {"more": 1}, {"value": "A" * 86 + "=="}])
def test_every_field_of_the_signature_is_signed(
    data: bytes, key: keys.PrivateKey, trusted: keys.Trusted, forge: Callable[..., bytes], change: Manifest
) -> None:
    manifest, model = parts(signing.sign(data, key, serial=7))
    changed = forge(manifest | {"signature": manifest["signature"] | change}, model)
    with pytest.raises(BundleError, match="its signature is not that of key"):
        signing.verify(bundle.from_bytes(changed, "a").manifest, trusted)


def test_another_model_is_no_longer_what_was_signed(
    data: bytes, key: keys.PrivateKey, forge: Callable[..., bytes]
) -> None:
    manifest, model = parts(signing.sign(data, key, serial=7))
    with pytest.raises(BundleError, match="is not the one that the manifest tells of"):
        bundle.from_bytes(forge(manifest, model[:-1] + b"\xff"), "a")


@pytest.mark.parametrize(
    ("signature", "problem"),
    [
        ("none", "manifest.signature: must be an object"),
        ({}, "manifest.signature.key: is missing"),
        ({"key": "XY"}, "manifest.signature.key"),
        ({"serial": 0}, "manifest.signature.serial: must be a whole number from 1"),
        ({"serial": 1 << 53}, "manifest.signature.serial"),
        ({"serial": True}, "manifest.signature.serial"),
        ({"purpose": "steal"}, "manifest.signature.purpose"),
        ({"value": "AAAA"}, "manifest.signature.value"),
        ({"value": None}, "manifest.signature.value"),
    ],
)
def test_a_signature_of_another_form_is_damage(
    data: bytes, key: keys.PrivateKey, forge: Callable[..., bytes], signature: Any, problem: str
) -> None:
    manifest, model = parts(signing.sign(data, key, serial=7))
    if isinstance(signature, dict) and signature:
        signature = manifest["signature"] | signature
    with pytest.raises(BundleError, match=problem):
        bundle.from_bytes(forge(manifest | {"signature": signature}, model), "a")


def test_what_cannot_be_signed(data: bytes, key: keys.PrivateKey) -> None:
    for content, serial, purpose, problem in (
        (b"nothing", 1, "serve", "bundle: manifest.json"),
        (data, 0, "serve", "signature.serial"),
        (data, 1 << 53, "serve", "signature.serial"),
        (data, 1, "steal", "signature.purpose"),
    ):
        with pytest.raises(BundleError, match=problem):
            signing.sign(content, key, serial=serial, purpose=purpose)


def test_a_manifest_that_is_too_long_is_not_even_read(trusted: keys.Trusted) -> None:
    with pytest.raises(BundleError, match="at most 1048576 are allowed"):
        signing.verify(b" " * ((1 << 20) + 1), trusted)


def test_an_order_is_no_bundle(
    data: bytes, key: keys.PrivateKey, trusted: keys.Trusted, forge: Callable[..., bytes]
) -> None:
    """A signature over other things by the same key says nothing here."""
    manifest, model = parts(signing.sign(data, key, serial=7))
    signed = document.canonical(
        manifest | {"signature": {name: each for name, each in manifest["signature"].items() if name != "value"}}
    )
    value = base64.b64encode(key.sign(b"eacf order 1\n" + signed)).decode()
    other = forge(manifest | {"signature": manifest["signature"] | {"value": value}}, model)
    with pytest.raises(BundleError, match="its signature is not that"):
        signing.verify(bundle.from_bytes(other, "a").manifest, trusted)


@pytest.fixture(scope="module")
def signed(key: keys.PrivateKey) -> bytes:
    """The manifest of a real bundle."""
    data = bundle.read_file(bundle.find("testbed"))
    return archive.unpack(signing.sign(data, key, serial=3))[archive.MANIFEST]


@given(st.data())
@settings(max_examples=200)
def test_mutated_manifests_are_never_taken(key: keys.PrivateKey, signed: bytes, choose: st.DataObject) -> None:
    """Whatever is done to a signed manifest's bytes: refused, or it says the very same."""
    mutated = bytearray(signed)
    for _ in range(choose.draw(st.integers(1, 3))):
        at = choose.draw(st.integers(0, len(mutated)))
        mutated[at : at + choose.draw(st.sampled_from([0, 1, 1, 4]))] = choose.draw(st.binary(max_size=3))
    try:
        signing.verify(bytes(mutated), keys.Trusted([key.public]))
    except BundleError:
        return
    assert document.parse(bytes(mutated)) == document.parse(signed)
