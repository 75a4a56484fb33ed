"""Certificates: sizes follow from the number alone, keys do not."""

from __future__ import annotations

import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from eacf_trainer.testbed import pki


def chain(identity: int) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(pki._chain(identity))


def sizes(certificates: list[x509.Certificate]) -> list[int]:
    """What goes on the wire; a private key, which does not, may vary by a few bytes."""
    return [len(each.public_bytes(Encoding.DER)) for each in certificates]


def test_sizes_are_shared_by_all_and_spread() -> None:
    totals = [sum(sizes(chain(number))) for number in range(pki.IDENTITIES)]
    assert len(set(totals)) == pki.IDENTITIES
    assert min(totals) < 1_500
    assert 3_000 < max(totals) < 6_000


@pytest.mark.parametrize("identity", [3, 5])
def test_a_chain_made_anew_has_other_keys_and_the_same_lengths(identity: int) -> None:
    made = [x509.load_pem_x509_certificates(pki._chain.__wrapped__(identity)) for _ in range(4)]
    assert len({each[0].public_bytes(Encoding.DER) for each in made}) == 4
    assert [sizes(each) for each in made] == [sizes(chain(identity))] * 4


def test_a_chain_is_for_servers_of_a_century() -> None:
    certificate = chain(1)[0]
    assert certificate.not_valid_before_utc == pki.VALID[0]
    assert certificate.not_valid_after_utc == pki.VALID[1]
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName)[0].endswith(".server-1.example")


@pytest.mark.parametrize(
    ("other", "same"), [((1, 2, "h2"), True), ((2, 2, "h2"), False), ((1, 0, "h2"), False), ((1, 2, ""), False)]
)
def test_settings_are_made_once_for_each_kind_of_server(other: tuple[int, int, str], same: bool) -> None:
    context = pki.server_context(1, 2, "h2")
    assert (pki.server_context(*other) is context) is same
    assert pki.server_context(*other).num_tickets == other[1]
    assert context.protocol is ssl.PROTOCOL_TLS_SERVER
