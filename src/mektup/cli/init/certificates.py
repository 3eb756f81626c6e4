"""The certificates of this machine, and which one fits the server's name."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from mektup.server.certificate_files import CertificatePair, fits, pair

CERTBOT = Path("etc/letsencrypt/live")
"""certbot has a directory here for each certificate, with links to the newest pair."""

SNAKE_OIL = Path("etc/ssl/certs/ssl-cert-snakeoil.pem"), Path("etc/ssl/private/ssl-cert-snakeoil.key")
"""The self-signed pair of Debian's package ssl-cert, which other services of the machine use, too."""


def pairs(root: Path) -> Iterator[CertificatePair]:
    """The pairs below the directory *root* of a system that this process can read, those of certbot first."""
    live = root / CERTBOT
    for cert in sorted(live.glob("*/fullchain.pem")):
        yield pair(cert, cert.with_name("privkey.pem"), renewed_by=live.parent)
    cert, key = (root / path for path in SNAKE_OIL)
    if cert.is_file():
        yield pair(cert, key)


def best(found: Iterator[CertificatePair], hostname: str) -> CertificatePair | None:
    """The pair for *hostname* that has not expired, the one that lasts longest; certbot's before others."""
    now = datetime.now(UTC)
    fitting = [each for each in found if each.ends is not None and each.ends > now and fits(each.names, hostname)]
    return max(fitting, key=lambda each: (each.renewed_by is not None, each.ends), default=None)
