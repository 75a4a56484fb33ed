"""What is known of a bundle before a byte of its model is here: the signature, the size, the number."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eacf import keys
from eacf.bundle import from_bytes
from eacf.bundle.archive import MANIFEST, MAX_BYTES, MEMBERS, MODEL, unpack
from eacf.bundle.document import canonical, identity
from eacf.bundle.signing import signed_form
from eacf.delivery.offers import NAME_DIGITS, check, name_of, replayed
from eacf.errors import BundleError
from eacf.keys import Trusted
from eacf.models import State
from eacf.wire import ModelOffer
from tests.delivery.conftest import offer_of

if TYPE_CHECKING:
    from tests.delivery.conftest import Signed

ASKER = "aaaaaaaaaaaa"


@pytest.fixture(scope="session")
def data(signed: Signed) -> bytes:
    return signed("offered", 7)


@pytest.fixture(scope="session")
def trusted(key: keys.PrivateKey) -> Trusted:
    return Trusted([key.public])


def test_a_good_offer_tells_who_signed_what_and_how_large_it_is(
    data: bytes, trusted: Trusted, key: keys.PrivateKey
) -> None:
    offered = check(offer_of(data, ASKER), trusted)
    whole = from_bytes(data, "it")
    assert (offered.model, offered.size) == (whole.id, len(data))
    assert offered.title == f"{whole.name} offered"
    assert (offered.signature.key, offered.signature.serial, offered.signature.purpose) == (key.id, 7, "serve")
    assert offered.name == name_of(unpack(data)[MANIFEST])


def test_the_name_is_that_of_the_file_not_of_its_content(signed: Signed, trusted: Trusted) -> None:
    """The same model signed again has the same id, yet is another file, which must not go on with the first one's bytes."""
    first, second = (check(offer_of(signed("twice", serial), ASKER), trusted) for serial in (1, 2))
    assert first.model == second.model
    assert first.name != second.name
    assert len(first.name) == NAME_DIGITS
    assert set(first.name + second.name) <= set("0123456789abcdef")


def test_one_byte_more_or_less_than_the_manifest_says_is_refused(data: bytes, trusted: Trusted) -> None:
    for size in (0, len(data) - 1, len(data) + 1, MAX_BYTES):
        with pytest.raises(BundleError, match=f"by its manifest the file has {len(data)}"):
            check(offer_of(data, ASKER, size=size), trusted)
    for size in (MAX_BYTES + 1, 2**63 - 1):
        with pytest.raises(BundleError, match=f"the file has {size} bytes, a bundle at most"):
            check(offer_of(data, ASKER, size=size), trusted)


def test_a_key_counts_only_while_it_is_trusted(data: bytes, trusted: Trusted, tmp_path: Path) -> None:
    stranger, _ = keys.new(tmp_path / "stranger")
    check(offer_of(data, ASKER), Trusted([stranger.public, *trusted]))
    for others in (Trusted(), Trusted([stranger.public])):
        with pytest.raises(BundleError, match="which is not trusted"):
            check(offer_of(data, ASKER), others)


@pytest.mark.parametrize("spaced", [b"\t%s", b"%s\n", b"  %s"])
def test_a_manifest_has_one_form(data: bytes, trusted: Trusted, spaced: bytes) -> None:
    """What JSON does not read, the signature does not see either: the file would be another, under another name."""
    manifest = unpack(data)[MANIFEST]
    for changed in (spaced % manifest, manifest.replace(b":", b": ", 1)):
        with pytest.raises(BundleError, match="not in the one form that signing writes"):
            check(offer_of(data, ASKER, manifest=changed, size=len(data) - len(manifest) + len(changed)), trusted)


Resign = Callable[[dict[str, Any]], ModelOffer]


@pytest.fixture
def resigned(data: bytes, key: keys.PrivateKey) -> Resign:
    """Makes an offer whose members are others, rightly signed by a program that is not ours."""

    def make(members: dict[str, Any]) -> ModelOffer:
        document = json.loads(unpack(data)[MANIFEST]) | {"members": members}
        document["id"] = identity(document)
        document["signature"]["value"] = base64.b64encode(key.sign(signed_form(document))).decode()
        return offer_of(data, ASKER, manifest=canonical(document))

    return make


def test_a_signature_does_not_make_members_good(data: bytes, trusted: Trusted, resigned: Resign) -> None:
    model = json.loads(unpack(data)[MANIFEST])["members"][MODEL]
    same = resigned({MODEL: model})
    assert check(same, trusted).size == len(data)
    large = model | {"bytes": MEMBERS[MODEL] + 1}
    with pytest.raises(BundleError, match=rf"at most {MEMBERS[MODEL]} are allowed"):
        check(resigned({MODEL: large}), trusted)
    for members in ({}, {MODEL: model, "run.sh": model}, {"run.sh": model}):
        with pytest.raises(BundleError, match=r"must tell of|members"):
            check(resigned(members), trusted)


def test_a_number_counts_once_and_for_its_key_alone() -> None:
    known = State(serials={"0123456789abcdef": 5})
    for serial in (1, 4, 5):
        why = replayed("0123456789abcdef", serial, known)
        assert why is not None
        assert f"its serial {serial} is not above 5" in why
    assert replayed("0123456789abcdef", 6, known) is None
    assert replayed("fedcba9876543210", 1, known) is None
    assert replayed("fedcba9876543210", 1, replace(known, serials={})) is None


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_whatever_is_changed_in_a_manifest_is_refused(data: bytes, trusted: Trusted, draw: st.DataObject) -> None:
    """One byte is another, some are gone, or some are too many: BundleError, and nothing else."""
    manifest = unpack(data)[MANIFEST]
    at = draw.draw(st.integers(0, len(manifest) - 1))
    end = draw.draw(st.sampled_from([at, at + 1, at + 1, len(manifest)]))
    changed = manifest[:at] + draw.draw(st.binary(max_size=3)) + manifest[end:]
    offer = offer_of(data, ASKER, manifest=changed, size=len(data) + len(changed) - len(manifest))
    if changed == manifest:
        check(offer, trusted)
    else:
        with pytest.raises(BundleError):
            check(offer, trusted)
