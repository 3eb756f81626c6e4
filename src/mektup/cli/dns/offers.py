"""What a server offers to mail programs: each service, with its port."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from ipaddress import ip_address

from mektup.server.addresses import Endpoint, Service
from mektup.server.config import Config


class Kind(Enum):
    """A service for mail programs, by its name in SRV records (RFC 6186 §3, RFC 8314 §5.1)."""

    IMAPS = "imaps"
    IMAP = "imap"
    POP3S = "pop3s"
    POP3 = "pop3"
    SUBMISSIONS = "submissions"
    SUBMISSION = "submission"

    @property
    def is_in_tls(self) -> bool:
        """Whether TLS begins with the connection; else by a command."""
        return self.value.endswith("s")


USUAL_PORTS = {
    Kind.IMAPS: 993,
    Kind.IMAP: 143,
    Kind.POP3S: 995,
    Kind.POP3: 110,
    Kind.SUBMISSIONS: 465,
    Kind.SUBMISSION: 587,
}

OURS = {
    Kind.IMAPS: Service.IMAPS,
    Kind.IMAP: Service.IMAP,
    Kind.POP3S: Service.POP3S,
    Kind.POP3: Service.POP3,
}
"""The services of mektup. Those for sending are the SMTP server's, at their usual ports."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A service, and where it is."""

    kind: Kind
    port: int | None
    """None: it is not offered."""


def offers(config: Config | None) -> Iterator[Offer]:
    """All services in order; without a configuration those of a usual server: IMAP, and no POP3."""
    for kind in Kind:
        service = OURS.get(kind)
        if service is None:
            yield Offer(kind, USUAL_PORTS[kind])
        elif config is None:
            yield Offer(kind, USUAL_PORTS[kind] if service in (Service.IMAP, Service.IMAPS) else None)
        else:
            ports = [each.port for each in config.listen.get(service, ()) if _is_public(each)]
            yield Offer(kind, ports[0] if ports else None)


def _is_public(endpoint: Endpoint) -> bool:
    """Whether other machines can reach *endpoint*, as far as its address says."""
    if endpoint.path is not None or not endpoint.port or endpoint.host == "localhost":
        return False
    try:
        return not ip_address(endpoint.host).is_loopback
    except ValueError:
        return True
