"""What a session tells whoever follows its conversation (``mektup trace``). Nobody does, most of the time.

A session masks its commands itself, because only it knows what they mean where they are read: a line may be a command,
or the answer to a challenge. So what is shown never depends on how the octets were split, and no second reader of the
stream can disagree with the session about where a literal ends.

The rule for secrets: a command is shown only if its name is known and no argument can be a password. Of commands that
log in, only the arguments that are known to be no secret are shown. All else that a client sends is hidden, because a
password may stand in a line that is malformed, or at a place where the server expected something else.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Protocol

from mektup.terms.peer import Peer

MASK = b"***"
"""Stands for what is not shown."""

CONTENT_BYTES = 64 * 1024
"""At most so much of a literal or a message is shown."""


class Answers(Enum):
    """How the answers to a command are shown."""

    LINES = auto()
    CHALLENGES = auto()
    """Lines that begin with ``+`` or ``CONT`` are challenges of SASL, and are hidden."""
    MESSAGE = auto()
    """POP3: after the first line comes a message, up to a line with only a dot."""


class Tap(Protocol):
    """Follows one session. No method raises or waits."""

    @property
    def wants_content(self) -> bool:
        """Whether ``content`` should get the octets, too."""

    def command(self, shown: bytes, answers: Answers = Answers.LINES) -> None:
        """The client sent a command. *shown* is its first line, masked, without CRLF."""

    def rest(self, shown: bytes) -> None:
        """A line that continues a command, masked."""

    def content(self, size: int, beginning: bytes | None) -> None:
        """*size* octets of a command: a literal, or a message.

        *beginning* has at most CONTENT_BYTES of them; None where they must not be shown, or are not wanted.
        """

    def hidden(self, size: int | None) -> None:
        """A line of *size* octets that may not be shown, or (None) input that the session skips.

        The answer may repeat its first word, which is hidden, too. So is the line after skipped input.
        """


class Taps(Protocol):
    """Those who follow the mail of an account, wherever it comes from."""

    def receives(self, peer: Peer, user: str) -> None:
        """The session with *peer*, which belongs to no account, takes in mail for the account *user*."""

    def received(self, peer: Peer) -> None:
        """The session with *peer* is done with the mail for all accounts."""
