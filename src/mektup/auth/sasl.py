"""SASL (RFC 4422): the exchange of challenges and responses, and the two mechanisms that send the password in clear.

``converse`` is the same for every protocol in which a challenge and a response are a line of base64 each.
"""

from __future__ import annotations

from binascii import Error, a2b_base64, b2a_base64
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from mektup.auth import texts
from mektup.auth.gate import Gate
from mektup.store.interface import AccountEntry
from mektup.terms.errors import ClientError, Refused
from mektup.terms.peer import Origin
from mektup.terms.texts import Text

KNOWN_MECHANISMS = frozenset(
    {
        *(b"PLAIN", b"LOGIN", b"EXTERNAL", b"ANONYMOUS", b"XOAUTH2", b"OAUTHBEARER", b"GSSAPI", b"NTLM"),
        *(b"SCRAM-SHA-1", b"SCRAM-SHA-1-PLUS", b"SCRAM-SHA-256", b"SCRAM-SHA-256-PLUS", b"CRAM-MD5", b"DIGEST-MD5"),
    }
)
"""Names that clients ask for. Any other word in their place may be a part of a password, and is not shown."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """The server's next message in a SASL exchange, before base64."""

    octets: bytes
    failure: Refused | None = None
    """The failure that this message explains to a program. Whatever the client answers, the exchange then ends."""


class Exchange(Protocol):
    """One running SASL exchange."""

    @property
    def wants_initial(self) -> bool:
        """Whether the client sends the first message; without an initial response, it gets an empty challenge first.

        If false, ``step(b"")`` returns the first challenge.
        """

    @property
    def name(self) -> bytes:
        """The name that the client gave, for logs; octets as sent, empty if it gave none yet."""

    async def step(self, response: bytes) -> Challenge | AccountEntry:
        """Takes the client's response (base64 decoded). Returns the next challenge, or the entry at the end.

        Raises Refused(AUTHENTICATIONFAILED, ...), or ClientError if the response breaks the mechanism's grammar.
        """


Ask = Callable[[bytes], Awaitable[bytes]]
"""Sends a challenge, given in base64, and returns the client's next line without its end.

Raises ClientError for a line that is too long for the protocol.
"""


@dataclass(frozen=True, slots=True)
class Complaints:
    """How a protocol answers a line that is no response, for a person to read."""

    cancelled: Text
    """To ``*``, by which a client ends the exchange."""
    not_base64: Text


class Dialogue:
    """One exchange over lines of base64, step by step."""

    __slots__ = ("_complaints", "_failure", "exchange")

    def __init__(self, exchange: Exchange, complaints: Complaints) -> None:
        self.exchange = exchange
        self._complaints = complaints
        self._failure: Refused | None = None

    async def begin(self, initial: bytes | None) -> bytes | AccountEntry:
        """The first challenge, in base64, or the entry at the end. *initial* and the errors: see ``converse``."""
        if initial is None and self.exchange.wants_initial:
            return b""
        return self._in_base64(await self.exchange.step(initial or b""))

    async def go_on(self, line: bytes) -> bytes | AccountEntry:
        """Takes the client's line, without its end; returns and raises as ``begin``."""
        if self._failure is not None:
            raise self._failure
        if line == b"*":
            raise ClientError(self._complaints.cancelled)
        return self._in_base64(await self.exchange.step(_decoded(line, self._complaints)))

    def _in_base64(self, outcome: Challenge | AccountEntry) -> bytes | AccountEntry:
        if not isinstance(outcome, Challenge):
            return outcome
        self._failure = outcome.failure
        return b2a_base64(outcome.octets, newline=False)


async def converse(exchange: Exchange, initial: bytes | None, ask: Ask, complaints: Complaints) -> AccountEntry:
    """Runs *exchange* to its end. *initial* is the initial response (decoded), None if the client sent none.

    Raises what ``Exchange.step`` raises, and ClientError for a cancelled exchange (RFC 4422 §3.5) or for a line that is
    not base64.
    """
    dialogue = Dialogue(exchange, complaints)
    outcome = await dialogue.begin(initial)
    while isinstance(outcome, bytes):
        outcome = await dialogue.go_on(await ask(outcome))
    return outcome


def initial_response(text: bytes, complaints: Complaints) -> bytes:
    """Decodes an initial response; a lone ``=`` is an empty one (RFC 4954 §4, RFC 5034 §4). Raises ClientError."""
    return b"" if text == b"=" else _decoded(text, complaints)


def _decoded(text: bytes, complaints: Complaints) -> bytes:
    """*text* from base64. Raises ClientError: other characters are refused, not ignored (RFC 5034 §4)."""
    try:
        return a2b_base64(text, strict_mode=True)
    except Error:
        raise ClientError(complaints.not_base64) from None


class PlainMechanism:
    """PLAIN, RFC 4616."""

    wants_initial = True

    def __init__(self, gate: Gate, peer: Origin) -> None:
        self._gate = gate
        self._address = peer.address
        self.name = b""

    async def step(self, response: bytes) -> Challenge | AccountEntry:
        """Takes the only message. See Exchange."""
        parts = response.split(b"\0")
        # RFC 4616 §2: message = [authzid] UTF8NUL authcid UTF8NUL passwd
        if len(parts) != 3:
            raise ClientError(texts.PLAIN_EXPECTS)
        identity, self.name, password = parts
        entry = await self._gate.check_password(self.name, password, self._address)
        return await self._gate.authorize(entry, identity)


class LoginMechanism:
    """LOGIN, which no RFC describes: the server asks for the name, then for the password.

    Microsoft's and old clients support nothing else. Some send the name as an initial response.
    """

    wants_initial = False

    def __init__(self, gate: Gate, peer: Origin) -> None:
        self._gate = gate
        self._address = peer.address
        self.name = b""
        self._asked = False

    async def step(self, response: bytes) -> Challenge | AccountEntry:
        """Takes an empty response or the name; then the password. See Exchange."""
        if self.name:
            return await self._gate.check_password(self.name, response, self._address)
        if response:
            self.name = response
            return Challenge(b"Password:")
        if self._asked:
            raise ClientError(texts.LOGIN_EXPECTS)
        self._asked = True
        return Challenge(b"Username:")
