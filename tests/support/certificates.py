"""Certificates for tests, of any key and hash."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

DAY = timedelta(days=1)
HOST = x509.SubjectAlternativeName(
    [x509.DNSName("localhost"), x509.IPAddress(ipaddress.IPv4Address("127.0.0.1"))],
)


def self_signed(folder: Path, key: Any, algorithm: Any) -> Path:
    """A file with a certificate for 127.0.0.1, signed with *key* and the hash *algorithm*, and its key."""
    name = _named("localhost")
    builder = _builder(name, name, key).add_extension(HOST, critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return _written(folder, builder.sign(key, algorithm), key)


class Issuer:
    """Signs certificates of clients."""

    def __init__(self, folder: Path) -> None:
        """Writes files to *folder*."""
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named("issuer of clients")
        builder = _builder(self._name, self._name, self._key)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self.file = _written(folder, builder.sign(self._key, SHA256()), self._key)
        """Its own certificate."""

    def certificate(self, *names: str, emails: Sequence[str] = (), days: int = 90) -> Path:
        """A file with a certificate and its key, for the common *names*; it ends in *days*, or has ended."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_named(*names), self._name, key, days=days)
        if emails:
            addresses = x509.SubjectAlternativeName([x509.RFC822Name(each) for each in emails])
            builder = builder.add_extension(addresses, critical=False)
        return _written(self._folder, builder.sign(self._key, SHA256()), key)


def _named(*names: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name) for name in names])


def _builder(subject: x509.Name, issuer: x509.Name, key: Any, *, days: int = 90) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(now - 30 * DAY).not_valid_after(now + days * DAY)


def _written(folder: Path, certificate: x509.Certificate, key: Any) -> Path:
    file = folder / f"{certificate.serial_number:x}.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(certificate.public_bytes(Encoding.PEM) + private)
    return file
