"""Addresses to listen at, as the configuration writes them: ``host:port`` or ``unix:/path``; addresses of clients."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from ipaddress import ip_address
from pathlib import Path

from mektup.server import texts
from mektup.terms.texts import AND_SO, Text


class Service(Enum):
    """The service at an address, by its key under ``[listen]``."""

    IMAP = "imap"
    IMAPS = "imaps"
    POP3 = "pop3"
    POP3S = "pop3s"
    LMTP = "lmtp"
    SASL = "sasl"
    SOCKETMAP = "socketmap"
    METRICS = "metrics"

    @property
    def implicit_tls(self) -> bool:
        """Whether TLS starts with the connection (RFC 8314 §3, RFC 9051 §11.2), not by a command."""
        return self in (Service.IMAPS, Service.POP3S)

    @property
    def is_for_agents(self) -> bool:
        """Whether the clients are mail transfer agents, which do not log in."""
        return self in (Service.LMTP, Service.SASL, Service.SOCKETMAP)

    @property
    def protocol(self) -> str:
        """The name of the service, the same for encrypted connections and for others."""
        return "imap" if self is Service.IMAPS else "pop3" if self is Service.POP3S else self.value


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address to listen at: a host and a port, or the path of a Unix socket."""

    host: str = ""
    """A name or an IP address; empty for every interface."""
    port: int = 0
    """0: any free port."""
    path: Path | None = None

    def meets(self, other: Endpoint) -> bool:
        """Whether the two exclude each other: same path, or same port on the same host, or on all interfaces."""
        if self.path is not None or other.path is not None:
            return self.path == other.path
        return self.port == other.port != 0 and (self.host == other.host or not self.host or not other.host)

    def __str__(self) -> str:
        if self.path is not None:
            return f"unix:{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host or "*"
        return f"{host}:{self.port}"


MOST_PORT = 65535
MOST_DIGITS = 5


@dataclass(eq=False)
class AddressError(Exception):
    """A text that is no address; ``text`` says what was expected."""

    text: Text

    def __str__(self) -> str:
        return str(self.text)


def endpoint(text: str, base: Path) -> Endpoint:
    """Reads an address; a relative path is relative to *base*. Raises AddressError."""
    if text.startswith("unix:"):
        if text == "unix:":
            raise _unexpected(text)
        return Endpoint(path=(base / text[len("unix:") :]).absolute())
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise AddressError(AND_SO.of(first=_unexpected(text).text, then=texts.IPV6_BRACKETS))
    if not colon or not host or not port.isascii() or not port.isdigit():
        raise _unexpected(text)
    if len(port) > MOST_DIGITS or int(port) > MOST_PORT:
        expected = texts.ADDRESS_PORT.of(most=MOST_PORT)
        raise AddressError(texts.EXPECTED.of(expected=expected, got=f'"{text}"'))
    return Endpoint(host="" if host == "*" else host, port=int(port))


def _unexpected(text: str) -> AddressError:
    return AddressError(texts.EXPECTED.of(expected=texts.ADDRESS, got=f'"{text}"'))


def address_of(peer_name: object) -> tuple[str, bool]:
    """The IP address without port and scope, or ``unix``; and whether it is on this machine.

    *peer_name* is the result of ``accept`` or ``getpeername``.
    """
    if not isinstance(peer_name, tuple):
        return "unix", True
    address = ip_address(str(peer_name[0]).partition("%")[0])
    address = getattr(address, "ipv4_mapped", None) or address
    return str(address), address.is_loopback
