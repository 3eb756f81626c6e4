"""The interface of SASL exchanges, and the two mechanisms that send the password in clear text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from mektup.auth.gate import Gate
from mektup.store.interface import AccountEntry
from mektup.terms.errors import ClientError


@dataclass(frozen=True, slots=True)
class Challenge:
    """The server's next message in a SASL exchange, before base64."""

    octets: bytes


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


class PlainMechanism:
    """PLAIN, RFC 4616."""

    wants_initial = True

    def __init__(self, gate: Gate, address: str) -> None:
        self._gate = gate
        self._address = address
        self.name = b""

    async def step(self, response: bytes) -> Challenge | AccountEntry:
        """Takes the only message. See Exchange."""
        parts = response.split(b"\0")
        # RFC 4616 §2: message = [authzid] UTF8NUL authcid UTF8NUL passwd
        if len(parts) != 3:
            raise ClientError("PLAIN expects [identity] NUL name NUL password, in base64")
        identity, self.name, password = parts
        entry = await self._gate.check_password(self.name, password, self._address)
        return await self._gate.authorize(entry, identity)


class LoginMechanism:
    """LOGIN, which no RFC describes: the server asks for the name, then for the password.

    Microsoft's and old clients support nothing else. Some send the name as an initial response.
    """

    wants_initial = False

    def __init__(self, gate: Gate, address: str) -> None:
        self._gate = gate
        self._address = address
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
            raise ClientError("LOGIN expects a name, in base64")
        self._asked = True
        return Challenge(b"Username:")
