"""Settings for mail programs: Mozilla's autoconfiguration (version 1.1) and a profile for Apple's devices.

Thunderbird, K-9 and Evolution read the first one at ``https://autoconfig.DOMAIN/mail/config-v1.1.xml``. A profile is
for one account, and is sent to its owner or downloaded.
"""

from __future__ import annotations

import plistlib
import uuid
from collections.abc import Iterable, Iterator
from xml.etree import ElementTree

from mektup.cli.dns.offers import Kind, Offer

INCOMING = {Kind.IMAPS: "imap", Kind.IMAP: "imap", Kind.POP3S: "pop3", Kind.POP3: "pop3"}


def autoconfig(domain: str, hostname: str, offered: Iterable[Offer]) -> str:
    """The XML for *domain*. The services in TLS come first, because programs take the first one."""
    there = sorted((offer for offer in offered if offer.port is not None), key=lambda offer: not offer.kind.is_in_tls)
    root = ElementTree.Element("clientConfig", version="1.1")
    provider = ElementTree.SubElement(root, "emailProvider", id=domain)
    for name, text in (("domain", domain), ("displayName", domain), ("displayShortName", domain)):
        ElementTree.SubElement(provider, name).text = text
    for protocol in ("imap", "pop3", "smtp"):
        for offer in there:
            if INCOMING.get(offer.kind, "smtp") == protocol:
                _add_server(provider, protocol, hostname, offer)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _add_server(provider: ElementTree.Element, protocol: str, hostname: str, offer: Offer) -> None:
    element = "outgoingServer" if protocol == "smtp" else "incomingServer"
    server = ElementTree.SubElement(provider, element, type=protocol)
    for name, text in (
        ("hostname", hostname),
        ("port", str(offer.port)),
        ("socketType", "SSL" if offer.kind.is_in_tls else "STARTTLS"),
        # a password as it is, which TLS protects
        ("authentication", "password-cleartext"),
        ("username", "%EMAILADDRESS%"),
    ):
        ElementTree.SubElement(server, name).text = text


def mobileconfig(address: str, hostname: str, offered: Iterable[Offer]) -> str:
    """The profile for the account of *address*, which is its name, too. Raises ValueError without IMAP."""
    ports = {offer.kind: offer.port for offer in offered if offer.port is not None}
    imap = next((kind for kind in (Kind.IMAPS, Kind.IMAP) if kind in ports), None)
    if imap is None:
        raise ValueError("IMAP")
    account = {
        "PayloadType": "com.apple.mail.managed",
        "EmailAccountType": "EmailTypeIMAP",
        "EmailAccountDescription": address,
        "EmailAddress": address,
        **dict(_server("Incoming", address, hostname, ports[imap])),
        **dict(_server("Outgoing", address, hostname, ports[Kind.SUBMISSIONS])),
        "OutgoingPasswordSameAsIncomingPassword": True,
        **_named(address, f"{hostname}.mail"),
    }
    profile = {
        "PayloadType": "Configuration",
        "PayloadDisplayName": address,
        "PayloadContent": [account],
        **_named(address, hostname),
    }
    return plistlib.dumps(profile).decode()


def _server(way: str, address: str, hostname: str, port: int) -> Iterator[tuple[str, object]]:
    yield f"{way}MailServerHostName", hostname
    yield f"{way}MailServerPortNumber", port
    yield f"{way}MailServerUseSSL", True
    yield f"{way}MailServerUsername", address
    yield f"{way}MailServerAuthentication", "EmailAuthPassword"


def _named(address: str, hostname: str) -> dict[str, object]:
    # the same profile gets the same identifiers, so that a second one replaces the first
    name = f"{'.'.join(reversed(hostname.split('.')))}.{address}"
    return {
        "PayloadIdentifier": name,
        "PayloadUUID": str(uuid.uuid5(uuid.NAMESPACE_URL, f"mailto:{name}")).upper(),
        "PayloadVersion": 1,
    }
