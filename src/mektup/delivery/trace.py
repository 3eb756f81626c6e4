"""Return-Path and Received, which final delivery puts at the beginning of a message (RFC 5321 §4.4)."""

from __future__ import annotations

import re
from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache
from ipaddress import ip_address

from msgspec import Struct

from mektup.delivery.address import Address

LONGEST_FOR_OCTETS = 900
"""A longer recipient is left out of Received: a line of a message has at most 998 octets (RFC 5322 §2.1.1)."""

LONGEST_HEADER_OCTETS = 256 * 1024
"""The sender's own Return-Path fields are removed from so many octets at most, which are held back until then."""

NOWHERE = "localhost"

_DOMAIN = re.compile(r"[^\x00-\x20()<>@,;:\\\"\[\]\x7f-\U0010ffff]{1,255}")
_ADDRESS_LITERAL = re.compile(r"\[[A-Za-z0-9.:-]{1,255}\]")

# Begins with LF, so that the search is a memchr. Takes the LF before the field, not the one that ends it.
_RETURN_PATH = re.compile(rb"\n[Rr][Ee][Tt][Uu][Rr][Nn]-[Pp][Aa][Tt][Hh][ \t]*:[^\n]*(?:\n[ \t][^\n]*)*")


class Trace(Struct, frozen=True, kw_only=True):
    """Facts about a message from its envelope and its connection."""

    sender: Address | None
    """None for a bounce."""
    client: bytes
    """The client's name from LHLO."""
    address: str
    """The client's IP address; any other text if it has none."""
    hostname: str
    session_id: str
    utf8: bool
    """Whether the client asked for SMTPUTF8."""
    recipients: tuple[Address, ...]
    at: int
    """When the message came, in seconds since 1970 UTC."""

    def fields(self) -> bytes:
        """The two header fields, CRLF at the end of each line. They go before all others (RFC 5322 §3.6)."""
        # RFC 3848 and RFC 6531 §4.3: the registered names. LMTP has neither STARTTLS nor AUTH here.
        protocol = "UTF8LMTP" if self.utf8 else "LMTP"
        lines = [
            f"Return-Path: <{self.sender or ''}>",
            f"Received: from {_source(self.client, self.address)}",
            f"\tby {_by(self.hostname)} with {protocol} id {self.session_id}{self._recipient()};",
            f"\t{_date_time(self.at)}",
            "",
        ]
        return "\r\n".join(lines).encode()

    def _recipient(self) -> str:
        # RFC 5321 §4.4: exactly one path. §7.2: recipients must not learn of each other.
        return _for(self.recipients[0]) if len(self.recipients) == 1 else ""


@lru_cache(256)
def _for(recipient: Address) -> str:
    if not _is_host(recipient.domain or NOWHERE):
        return ""
    clause = f"\r\n\tfor <{recipient}>"
    return clause if len(clause.encode()) <= LONGEST_FOR_OCTETS else ""


@lru_cache(4)
def _by(hostname: str) -> str:
    return hostname if _DOMAIN.fullmatch(hostname) else NOWHERE


@lru_cache(4)
def _date_time(seconds: int) -> str:
    """Local time with its offset and a year of four digits (RFC 5321 §4.4, §F.5). Cached for one second."""
    return format_datetime(datetime.fromtimestamp(seconds).astimezone())


@lru_cache(64)
def _source(client: bytes, address: str) -> str:
    """Extended-Domain: the client's name and address. Cached, because few clients deliver mail."""
    literal = _literal(address)
    name = client.partition(b" ")[0].decode("latin-1")
    if not _is_host(name):
        # The client chooses its name freely, and only a domain or an address may stand here.
        name = literal or NOWHERE
    return f"{name} ({literal})" if literal else name


def _is_host(name: str) -> bool:
    """Whether *name* can be a host: a domain in ASCII, or an address literal."""
    return bool(_DOMAIN.fullmatch(name) or _ADDRESS_LITERAL.fullmatch(name))


def _literal(address: str) -> str:
    """An address literal (RFC 5321 §4.1.3); empty if *address* is not an IP address."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return ""
    return f"[IPv6:{parsed}]" if parsed.version == 6 else f"[{parsed}]"


class ReturnPathRemover:
    """Takes a message in pieces; returns it without Return-Path fields in its header.

    RFC 5321 §4.4: there should be exactly one, from the envelope; a sender can write anything into its own. Changes
    nothing else.
    """

    __slots__ = ("_header_is_over", "_held")

    def __init__(self) -> None:
        # Begins with an LF, so that the first line is like any other.
        self._held = bytearray(b"\n")
        self._header_is_over = False

    def take(self, octets: bytes) -> bytes:
        """The octets that are certain so far."""
        if self._header_is_over:
            return octets
        if len(self._held) == 1 and (end := _header_end(octets)) >= 0:
            self._header_is_over = True
            return _without_return_path(octets, end)
        # "\n\r\n" may have begun in the last piece
        begin = max(0, len(self._held) - 2)
        self._held += octets
        if self._end(begin) < 0 and len(self._held) <= LONGEST_HEADER_OCTETS:
            return b""
        return self.rest()

    def rest(self) -> bytes:
        """The octets that were held back; the message, or its header, is over."""
        if self._header_is_over:
            return b""
        self._header_is_over = True
        end = self._end(0)
        if end < 0:
            end = self._held.rfind(b"\n")
        held, self._held = bytes(self._held), bytearray()
        header = _RETURN_PATH.sub(b"", held[:end])
        return header[1:] + held[end:] if header else held[end + 1 :]

    def _end(self, begin: int) -> int:
        """The offset of the line end before the empty line, searched from *begin*; -1 if there is none."""
        end = self._held.find(b"\n\r\n", begin)
        bare = self._held.find(b"\n\n", begin, end if end >= 0 else len(self._held))
        return bare if bare >= 0 else end


def _header_end(octets: bytes) -> int:
    """As ``_end``, for the first piece of a message if it has the whole header, as most do; -1 for any other."""
    end = octets.find(b"\n\r\n", 1, LONGEST_HEADER_OCTETS)
    return end if end > 0 and octets.find(b"\n\n", 0, end) < 0 and not octets.startswith((b"\n", b"\r\n")) else -1


def _without_return_path(octets: bytes, end: int) -> bytes:
    if b"return-path" not in octets[:end].lower():
        return octets
    header = _RETURN_PATH.sub(b"", b"\n" + octets[:end])
    return header[1:] + octets[end:] if header else octets[end + 1 :]
