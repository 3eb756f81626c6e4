"""The server's name. Greetings, trace lines and the self-signed certificate contain it."""

from __future__ import annotations

import ipaddress
import re
import socket

from mektup.server import texts
from mektup.terms.texts import AND_SO, Text

MOST_OCTETS = 255
"""The longest domain (RFC 5321 §4.5.3.1.2)."""

MOST_LABEL_OCTETS = 63
"""The longest label of a domain (RFC 1035 §2.3.4)."""

_LABEL = re.compile(r"[0-9A-Za-z](?:[0-9A-Za-z-]*[0-9A-Za-z])?")
"""sub-domain = Let-dig [Ldh-str] (RFC 5321 §4.1.2)."""


def names_of_this_machine() -> tuple[str, str]:
    """The name that the machine has, and the whole name that is found for it."""
    return socket.gethostname(), socket.getfqdn()


def objection_to_hostname(text: str) -> Text | None:
    """Why *text* cannot be the server's name; None if it can.

    The protocols write the name in ASCII, so a name in other letters must be given in its ``xn--`` form.
    """
    if not text:
        return texts.EXPECTED.of(expected=texts.HOSTNAME, got=texts.NOTHING)
    shown = repr(text if len(text) <= MOST_OCTETS else text[:20] + "...")
    if len(text.encode("utf-8", "replace")) > MOST_OCTETS:
        got = texts.OCTETS_OF.of(text=shown, octets=len(text))
        return texts.EXPECTED.of(expected=texts.MOST_OCTETS.of(most=MOST_OCTETS), got=got)
    if text.startswith("["):
        return None if _is_address_literal(text) else texts.EXPECTED.of(expected=texts.HOSTNAME, got=shown)
    if not text.isascii():
        written = _in_ascii(text)
        objection = texts.EXPECTED.of(expected=texts.HOSTNAME_ASCII, got=shown)
        return AND_SO.of(first=objection, then=texts.WRITE_IT_AS.of(written=repr(written))) if written else objection
    for label in text.split("."):
        if len(label) > MOST_LABEL_OCTETS:
            return texts.EXPECTED.of(expected=texts.MOST_LABEL_OCTETS.of(most=MOST_LABEL_OCTETS), got=shown)
        if not _LABEL.fullmatch(label):
            return texts.EXPECTED.of(expected=texts.HOSTNAME, got=shown)
    return None


def _is_address_literal(text: str) -> bool:
    """RFC 5321 §4.1.3: ``[192.0.2.1]`` or ``[IPv6:2001:db8::1]``."""
    if not text.endswith("]"):
        return False
    inner = text[1:-1]
    try:
        if inner[:5].lower() == "ipv6:":
            ipaddress.IPv6Address(inner[5:])
            return "%" not in inner
        ipaddress.IPv4Address(inner)
    except ValueError:
        return False
    return True


def _in_ascii(text: str) -> str | None:
    try:
        written = text.encode("idna").decode("ascii")
    except UnicodeError:
        return None
    return written if objection_to_hostname(written) is None else None
