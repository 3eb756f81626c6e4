"""Certificates in files: the names that they are for (RFC 9525 §6), when they end, and who may read their keys."""

from __future__ import annotations

import stat
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import NameOID

from mektup.store import system


@dataclass(frozen=True, slots=True)
class CertificatePair:
    """A certificate and its key, in two files."""

    cert: Path
    key: Path
    names: tuple[str, ...]
    """The names that it is for; may be empty."""
    begins: datetime | None
    """When it becomes valid; None where the file cannot be read."""
    ends: datetime | None
    """When it expires; None where the file cannot be read."""
    renewed_by: Path | None = None
    """The directory of certbot, which renews it."""

    @property
    def group(self) -> str | None:
        """The group that may read the key; None where only its owner may."""
        return group_with_access(self.key)


def pair(cert: Path, key: Path, renewed_by: Path | None = None) -> CertificatePair:
    """The pair in these files; without names and times where the certificate cannot be read."""
    try:
        certificate = x509.load_pem_x509_certificate(cert.read_bytes())
    except (OSError, ValueError):
        return CertificatePair(cert, key, (), None, None, renewed_by)
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return CertificatePair(cert, key, names_of(certificate), begins, ends, renewed_by)


def names_of(certificate: x509.Certificate) -> tuple[str, ...]:
    """The names of hosts in subjectAltName; where it has none, the common names, which old programs compare."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (x509.ExtensionNotFound, ValueError):
        found: tuple[str, ...] = ()
    else:
        found = tuple(extension.value.get_values_for_type(x509.DNSName))
    if found:
        return found
    common = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return tuple(name.value for name in common if isinstance(name.value, str))


def fits(names: Iterable[str], hostname: str) -> bool:
    """Whether one of *names* is *hostname*; "*." at its beginning stands for one label (RFC 9525 §6.3)."""
    wanted = hostname.lower().rstrip(".")
    above = wanted.partition(".")[2]
    return any(name.lower() in (wanted, f"*.{above}" if above else wanted) for name in names)


def group_with_access(key: Path) -> str | None:
    """The group that may read *key* and pass the directories above it; None where there is none."""
    try:
        real = key.resolve(strict=True)
        status = real.stat()
        above = [each.stat() for each in {*real.parents, *key.absolute().parents}]
    except OSError:
        return None
    if not status.st_mode & stat.S_IRGRP:
        return None
    for each in above:
        if not (each.st_mode & stat.S_IXOTH or (each.st_gid == status.st_gid and each.st_mode & stat.S_IXGRP)):
            return None
    return system.group_name(status.st_gid)
