"""Certificates of made-up servers: one shared range of sizes for all applications, since TLS 1.3 certificates look like data.

Keys and signatures have fixed lengths (RSA 2048 and Ed25519, never ECDSA, whose signatures vary by two bytes), so that record lengths
depend on the seed alone. Keys are new in every process: nothing of them is ever written into the repository.
"""

from __future__ import annotations

import random
import ssl
import tempfile
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.x509.oid import NameOID

IDENTITIES = 12
"""Certificates to choose from; their chains have from about 0.6 to 5 kB."""
VALID = (datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC) + timedelta(days=36_500))
Key = rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


@cache
def server_context(identity: int, tickets: int, alpn: str) -> ssl.SSLContext:
    """A server's TLS settings: the certificate number `identity`, so many TLS 1.3 session tickets a handshake, and the protocol it speaks.

    Each has settings of its own: one shared by two protocols would answer as whoever changed it last said.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.num_tickets = tickets
    if alpn:
        context.set_alpn_protocols([alpn])
    with tempfile.TemporaryDirectory() as folder:  # load_cert_chain reads files only
        chain = Path(folder) / "chain.pem"
        chain.write_bytes(_chain(identity))
        context.load_cert_chain(chain)
    return context


@cache
def _authority() -> tuple[x509.Name, ed25519.Ed25519PrivateKey]:
    return _name("eacf testbed authority"), ed25519.Ed25519PrivateKey.generate()


@cache
def _chain(identity: int) -> bytes:
    """PEM: private key, certificate, and an intermediate for most; padded with alternative names up to a drawn size."""
    rng = random.Random(f"certificate {identity}")
    key: Key
    key = rsa.generate_private_key(65_537, 2048) if identity % 3 else ed25519.Ed25519PrivateKey.generate()
    certificates = [_certificate(key, f"server-{identity}.example", rng.randrange(1, 60), rng)]
    if identity % 4:
        issuer = rsa.generate_private_key(65_537, 2048)
        certificates.append(_certificate(issuer, "intermediate.example", rng.randrange(1, 20), rng))
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return pem + b"".join(each.public_bytes(serialization.Encoding.PEM) for each in certificates)


def _certificate(key: Key, common: str, names: int, rng: random.Random) -> x509.Certificate:
    issuer, signer = _authority()
    alternatives = [x509.DNSName(f"host-{rng.randrange(10**9):09d}.{common}") for _ in range(names)]
    return (
        x509.CertificateBuilder()
        .subject_name(_name(common))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number((1 << 120) + rng.getrandbits(119))  # always 16 bytes long
        .not_valid_before(VALID[0])
        .not_valid_after(VALID[1])
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .sign(signer, None)
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


__all__ = ["IDENTITIES", "server_context"]
