"""What can go wrong with the server that mail is taken from. Each has a text for a person."""

from __future__ import annotations

from dataclasses import dataclass

from mektup.terms.errors import MektupError
from mektup.terms.texts import Text


@dataclass(eq=False)
class ServerProblem(MektupError):
    """The base of what a server that mail is taken from can do wrong."""

    text: Text

    def __str__(self) -> str:
        return str(self.text)


class Lost(ServerProblem):
    """The connection could not be made, broke, or was silent for too long. Another try may succeed."""


class NotUnderstood(ServerProblem):
    """The server sent what is no IMAP, or more than is bearable. The connection cannot be used any more."""


class Untrusted(ServerProblem):
    """The server did not prove its name, or offers no encryption."""


class LoginRefused(ServerProblem):
    """The server does not accept the name with this password or token."""


@dataclass(eq=False)
class CommandRefused(ServerProblem):
    """The server answered NO or BAD. The connection can be used further."""

    code: str = ""
    """The word of the response code, in upper case; empty for none."""
