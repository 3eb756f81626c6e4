"""A self-signed certificate, so that TLS works from the first start.

A pair that cannot be used, such as half a pair after a loss of power or on a full disk, is made anew, because only the
server needs it. (A pair named in the configuration is an error instead.)
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from mektup.server import texts
from mektup.store import files
from mektup.terms.texts import Text

VALID_DAYS = 3650


@dataclass(frozen=True, slots=True)
class Pair:
    """The paths of a certificate and its key."""

    cert: Path
    key: Path


def pair_under(
    directory: Path, hostname: str, made_anew: Callable[[Path, Text], None] = lambda path, why: None
) -> Pair:
    """The self-signed pair in *directory*, made now if it is missing. Safe if several processes start at once.

    If the pair cannot be used, it is made anew, and *made_anew* is called with the wrong file and the reason.
    Raises OSError, Refused.
    """
    files.make_directory(directory)
    pair = Pair(directory / "self-signed.crt", directory / "self-signed.key")
    with files.alone_in(directory):
        there = pair.cert.exists(), pair.key.exists()
        wrong = what_is_wrong(pair) if all(there) else None
        if any(there) and not all(there):
            wrong = (pair.key if there[0] else pair.cert), texts.PAIR_FILE_MISSING
        if wrong is not None or not all(there):
            cert, key = make(hostname)
            files.write(pair.key, key)
            files.write(pair.cert, cert, 0o644)
        if wrong is not None:
            made_anew(*wrong)
    return pair


def what_is_wrong(pair: Pair) -> tuple[Path, Text] | None:
    """The file of a pair that cannot be used, and why; None if both can. For any pair. Raises OSError."""
    try:
        certificates = x509.load_pem_x509_certificates(pair.cert.read_bytes())
    except ValueError:
        return pair.cert, texts.NO_CERTIFICATE
    try:
        key = load_pem_private_key(pair.key.read_bytes(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return pair.key, texts.NO_KEY
    form = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    if certificates[0].public_key().public_bytes(*form) != key.public_key().public_bytes(*form):
        return pair.key, texts.OTHER_KEY
    return None


def make(hostname: str) -> tuple[bytes, bytes]:
    """A new certificate and its key, both PEM, for *hostname*, localhost and the loopback addresses."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mektup self-signed")])
    now = datetime.now(UTC)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName(_names(hostname)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(identifier, critical=False)
        # strict verifiers require it even in a self-signed certificate (RFC 5280 §4.2.1.1)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
        .sign(key, SHA256())
    )
    return (
        certificate.public_bytes(Encoding.PEM),
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    )


def _names(hostname: str) -> list[x509.GeneralName]:
    names: list[x509.GeneralName] = [x509.DNSName("localhost")]
    if hostname.isascii() and hostname != "localhost":
        names.append(x509.DNSName(hostname))
    names += [x509.IPAddress(ipaddress.ip_address(address)) for address in ("127.0.0.1", "::1")]
    return names
