"""Who may come in: one face for LOGIN, USER and PASS, and SASL.

*Interface; the implementation follows.*
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from mektup.store.interface import AccountEntry, Directory
from mektup.terms.limits import Limits
from mektup.terms.peer import Peer


class Plaintext(Enum):
    """Where a password may cross an unencrypted connection."""

    LOOPBACK = "loopback"
    ALWAYS = "always"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Challenge:
    """The server's next word in a SASL exchange; not yet base64."""

    octets: bytes


class Exchange(Protocol):
    """One SASL exchange under way."""

    @property
    def wants_initial(self) -> bool:
        """Whether the client speaks first, so that without an initial response an empty challenge is sent."""

    async def step(self, response: bytes) -> Challenge | AccountEntry:
        """Takes the client's response (base64 decoded); the entry when it is over.

        Raises Refused(AUTHENTICATIONFAILED, ...) or ClientError for a response that breaks the mechanism's grammar.
        """


class Authenticator:
    """Checks who a peer says it is, slowly for those who guess."""

    def __init__(self, directory: Directory, limits: Limits, *, plaintext: Plaintext = Plaintext.LOOPBACK) -> None:
        raise NotImplementedError

    def may_send_password(self, peer: Peer) -> bool:
        """Whether a password may cross this connection in the clear (or it is encrypted)."""
        raise NotImplementedError

    def mechanisms(self, peer: Peer) -> tuple[str, ...]:
        """SASL mechanisms on offer to *peer*, strongest first; those that send the password only where that may be."""
        raise NotImplementedError

    async def login(self, name: bytes, password: bytes, peer: Peer) -> AccountEntry:
        """The account of *name* if *password* is its own. Octets as sent, UTF-8 by intention.

        Raises Refused(AUTHENTICATIONFAILED; PRIVACYREQUIRED where a password may not cross; UNAVAILABLE).
        """
        raise NotImplementedError

    def exchange(self, mechanism: str, peer: Peer) -> Exchange:
        """Begins *mechanism* (upper case). Raises Refused(CANNOT) for an unknown one, PRIVACYREQUIRED."""
        raise NotImplementedError
