"""Exceptions: whose fault each one is, and which answer it gets.

    MektupError
    ├── ClientError     the client's mistake:       IMAP BAD,  LMTP 500/501, POP3 -ERR
    ├── Refused         a refusal, with a code:     IMAP NO [code],  LMTP 4xx/5xx,  POP3 -ERR [code]
    └── Disconnected    the peer is gone:           nothing

Any other exception is our bug: the session answers NO [SERVERBUG] and goes on. An error carries a ``Text``;
``str()`` of the error is English. They are caught only in a session's ``run``; a library's errors are caught
where an engine calls the library.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from mektup.terms.texts import AT_COLUMN, IDLE_TOO_LONG, Text


class Code(Enum):
    """A response code that a refusal carries: IMAP word, LMTP status with enhanced code, POP3 word.

    RFC 5530, RFC 9051 §7.1; RFC 3463 for the enhanced codes; RFC 2449 §8 and RFC 3206 for POP3.
    """

    ALREADYEXISTS = ("ALREADYEXISTS", "550 5.3.0", "")
    AUTHENTICATIONFAILED = ("AUTHENTICATIONFAILED", "535 5.7.8", "AUTH")
    AUTHORIZATIONFAILED = ("AUTHORIZATIONFAILED", "535 5.7.8", "AUTH")
    BADCHARSET = ("BADCHARSET", "550 5.6.1", "")
    BADCOMPARATOR = ("BADCOMPARATOR", "550 5.6.1", "")
    """RFC 5255 §4.9."""
    BADEVENT = ("BADEVENT", "550 5.3.0", "")
    CANNOT = ("CANNOT", "550 5.3.0", "")
    CLIENTBUG = ("CLIENTBUG", "501 5.5.4", "")
    CORRUPTION = ("CORRUPTION", "451 4.3.0", "SYS/PERM")
    DISKFULL = ("UNAVAILABLE", "452 4.3.1", "SYS/TEMP")
    """The server's disk is full. OVERQUOTA is for the user's quota (docs/decisions/0004)."""
    EXPIRED = ("EXPIRED", "535 5.7.8", "AUTH")
    EXPUNGEISSUED = ("EXPUNGEISSUED", "451 4.3.0", "")
    HASCHILDREN = ("HASCHILDREN", "550 5.3.0", "")
    INUSE = ("INUSE", "451 4.3.0", "IN-USE")
    LIMIT = ("LIMIT", "452 4.3.0", "SYS/TEMP")
    MESSAGELIMIT = ("MESSAGELIMIT", "550 5.3.0", "")
    METADATA_MAXSIZE = ("METADATA MAXSIZE", "552 5.3.4", "")
    """RFC 5464 §4.3; the argument is the largest size that is accepted."""
    METADATA_TOOMANY = ("METADATA TOOMANY", "452 4.3.0", "")
    NONEXISTENT = ("NONEXISTENT", "550 5.1.1", "")
    NOPERM = ("NOPERM", "550 5.7.1", "")
    NOTIFICATIONOVERFLOW = ("NOTIFICATIONOVERFLOW", "452 4.3.0", "")
    NOTSAVED = ("NOTSAVED", "451 4.3.0", "")
    OVERQUOTA = ("OVERQUOTA", "452 4.2.2", "SYS/PERM")
    PRIVACYREQUIRED = ("PRIVACYREQUIRED", "530 5.7.11", "AUTH")
    SERVERBUG = ("SERVERBUG", "451 4.3.0", "SYS/TEMP")
    TOOBIG = ("TOOBIG", "552 5.3.4", "")
    TOOFEW = ("TOOFEW", "550 5.3.0", "")
    TOOMANY = ("TOOMANY", "550 5.3.0", "")
    TRYCREATE = ("TRYCREATE", "550 5.1.1", "")
    UIDREQUIRED = ("UIDREQUIRED", "501 5.5.4", "")
    UNAVAILABLE = ("UNAVAILABLE", "451 4.3.0", "SYS/TEMP")
    USEATTR = ("USEATTR", "550 5.3.0", "")
    UNDEFINED_FILTER = ("UNDEFINED-FILTER", "550 5.3.0", "")
    """RFC 5466 §3.1; the argument is the name of the filter."""
    BADURL = ("BADURL", "550 5.6.0", "")
    """RFC 4469 §4.1: the URL names nothing that can be read."""
    UNKNOWN_CTE = ("UNKNOWN-CTE", "550 5.6.1", "")

    def __init__(self, imap: str, lmtp: str, pop3: str) -> None:
        self.imap = imap
        """The word in brackets after NO (RFC 5530 §3)."""
        self.lmtp = lmtp
        """Status and enhanced status, ``552 5.3.4``."""
        self.pop3 = pop3
        """The word in brackets after -ERR, or empty for none."""


class MektupError(Exception):
    """The base of all errors that have an answer; never raised itself."""


@dataclass(eq=False)
class ClientError(MektupError):
    """The peer sent what the grammar or the state does not allow; the session goes on."""

    text: Text
    """What was expected, for a person to read; one line."""
    column: int | None = None
    """Position in the command, in octets from 1; None if the error has no position."""
    code: Code | None = field(default=None, kw_only=True)
    """The response code of IMAP's BAD; most errors have none."""

    @property
    def whole(self) -> Text:
        """The text with the column."""
        return self.text if self.column is None else AT_COLUMN.of(problem=self.text, column=self.column)

    def __str__(self) -> str:
        return str(self.whole)


@dataclass(eq=False)
class Refused(MektupError):
    """The request was understood, but is not carried out: nothing has changed, unless *uncertain* says so."""

    code: Code | None
    text: Text
    argument: str = field(default="", kw_only=True)
    """What follows the word of the code in its brackets; empty for nothing."""
    uncertain: bool = field(default=False, kw_only=True)
    """Whether it is not known if the change was made: it was, but is perhaps not on the disk, or the answer got lost.

    The text says so, too.
    """
    numbers: tuple[int, ...] = field(default=(), kw_only=True)
    """What IMAP tells after the word of the code; most codes have nothing."""

    def __str__(self) -> str:
        return str(self.text)


class Disconnected(MektupError):
    """The peer closed the connection, or it broke; there is nobody to answer."""


@dataclass(eq=False)
class TimedOut(MektupError):
    """The peer was silent for too long; it gets a farewell and the connection closes."""

    text: Text = IDLE_TOO_LONG

    def __str__(self) -> str:
        return str(self.text)


def without_text(error: BaseException) -> BaseException:
    """*error* with its type, its places in the code and its causes, but without any text.

    For logs of logins: the text of an unforeseen error may repeat what it got, and that may be a password.
    """
    kind = type(error)
    named = {"__module__": kind.__module__, "__qualname__": kind.__qualname__}
    shown: BaseException = type(kind.__name__, (Exception,), named)()
    shown.__traceback__ = error.__traceback__
    if error.__suppress_context__:
        shown.__cause__ = None if error.__cause__ is None else without_text(error.__cause__)
    elif error.__context__ is not None:
        shown.__context__ = without_text(error.__context__)
    return shown
