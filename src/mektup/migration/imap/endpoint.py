"""The address of a server as a user types it: ``imaps://linda@mail.example.org:993``."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from mektup.migration.imap import texts
from mektup.migration.imap.errors import Untrusted
from mektup.migration.imap.stream import Address, Security

PORTS: Final = {"imaps": 993, "imap": 143}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What a URL of the schemes ``imaps`` and ``imap`` says."""

    scheme: str
    host: str
    port: int
    user: str
    """Empty where the URL names none."""

    def address(self, ca_file: Path | None, *, insecure: bool) -> Address:
        """Where to connect. ``imap`` means STARTTLS, except on this machine, where nobody can listen."""
        if self.scheme == "imaps":
            return Address(self.host, self.port, Security.TLS, ca_file, insecure)
        security = Security.NONE if is_loopback(self.host) else Security.STARTTLS
        return Address(self.host, self.port, security, ca_file, insecure or is_loopback(self.host))


def is_endpoint(text: str) -> bool:
    """Whether *text* is meant as such a URL."""
    return text.lower().startswith(("imap://", "imaps://"))


def endpoint_of(text: str) -> Endpoint:
    """Reads a URL. Raises Untrusted for one that cannot be used; one with a password is refused, because others see it.

    Any process of the machine can read the arguments of a command.
    """
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise Untrusted(texts.NO_URL.of(url=_without_password(text))) from None
    if parts.password is not None:
        raise Untrusted(texts.PASSWORD_IN_URL)
    beyond = parts.path.strip("/") or parts.query or parts.fragment
    if parts.scheme not in PORTS or not host or beyond or port == 0:
        raise Untrusted(texts.NO_URL.of(url=_without_password(text)))
    return Endpoint(parts.scheme, host, port or PORTS[parts.scheme], unquote(parts.username or ""))


def _without_password(url: str) -> str:
    before, at, host = url.rpartition("@")
    return f"{before.rpartition(':')[0] or before}@{host}" if at and before.count(":") > 1 else url


def is_loopback(host: str) -> bool:
    """Whether *host* is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
