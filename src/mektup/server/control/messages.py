"""What goes over a control socket: one line of JSON for each message, first one question, then its answers.

Both ends may be of different versions of mektup: a question with another version is answered by a Problem.
"""

from __future__ import annotations

import ipaddress
from enum import StrEnum
from typing import Final

import msgspec
from msgspec import Struct

VERSION: Final = 1

QUESTION_BYTES: Final = 8 * 1024
"""The longest question, with its end of line."""

ANSWER_BYTES: Final = 1024 * 1024
"""The longest answer. The longest texts are cut long before that."""

MOST_CHARACTERS: Final = 400
"""The longest text in a question."""

UNIX = "unix"


class Whom(Struct, frozen=True, omit_defaults=True):
    """Which sessions are meant: those that match every field that is given."""

    target: str | None = None
    """The folded name of an account, or the ID of a session."""
    address: str | None = None
    """A network of IP addresses, one IP address, or ``unix``."""


class AskSessions(Struct, frozen=True, tag="sessions", omit_defaults=True):
    """Lists the sessions, as ``Listed``."""

    whom: Whom = Whom()
    strangers: bool = False
    """Whether to list those that have not logged in, too."""
    version: int = VERSION


class AskEnd(Struct, frozen=True, tag="end", omit_defaults=True):
    """Ends the sessions, and answers with ``Ended``."""

    whom: Whom = Whom()
    reason: str | None = None
    """What their clients are told."""
    version: int = VERSION


class AskTrace(Struct, frozen=True, tag="trace", omit_defaults=True):
    """Follows the sessions, also those that begin later, until the asker closes the socket."""

    whom: Whom = Whom()
    content: bool = False
    """Whether to show literals and messages, too."""
    version: int = VERSION


Question = AskSessions | AskEnd | AskTrace


class Listed(Struct, frozen=True, tag="session"):
    """One session."""

    session: str
    protocol: str
    address: str
    port: int | None
    user: str | None
    state: str
    """See ``server.visit.Visit.stage``."""
    mailbox: str | None
    command: str | None
    seconds: float
    """Since the connection was accepted."""
    idle_seconds: float
    """Since the last command began or ended."""
    octets_in: int
    octets_out: int
    tls: bool
    compressed: bool
    client: str | None
    """How the client's program calls itself. As sent: anything."""
    worker: int
    pid: int


class Ended(Struct, frozen=True, tag="ended"):
    """How many sessions of one process were ended."""

    sessions: int


class Side(StrEnum):
    """Who said a line of a trace."""

    CLIENT = "C"
    SERVER = "S"
    NOTE = "-"
    """Nobody: it says what happens."""


class Line(Struct, frozen=True, tag="line", omit_defaults=True):
    """One line of a trace."""

    at: float
    """Seconds since 1970."""
    session: str
    side: Side
    text: str
    """Printable; see ``terms.printable``."""
    begins: bool = False
    """Whether a command begins here."""
    about: Note | None = None
    """For Side.NOTE, which has no text."""


class Note(Struct, frozen=True, omit_defaults=True):
    """What happened to a session that is followed."""

    ended: bool = False
    """Whether it is not followed any more; else it is from now on."""
    protocol: str = ""
    address: str = ""
    user: str | None = None
    worker: int = 0


class Lost(Struct, frozen=True, tag="lost"):
    """Lines that are missing here, because the asker read too slowly."""

    lines: int


class ProblemKind(StrEnum):
    """Why there is no answer, or only a part of it."""

    NOT_UNDERSTOOD = "not_understood"
    OTHER_VERSION = "other_version"
    FORBIDDEN = "forbidden"
    BUSY = "busy"
    """Too many ask at the same time."""
    SILENT = "silent"
    """A worker does not answer."""


class Problem(Struct, frozen=True, tag="problem", omit_defaults=True):
    """See ProblemKind."""

    kind: ProblemKind
    worker: int | None = None


Answer = Listed | Ended | Line | Lost | Problem

_ENCODER = msgspec.json.Encoder()
_QUESTION = msgspec.json.Decoder(Question)
_ANSWER = msgspec.json.Decoder(Answer)
_VERSION = msgspec.json.Decoder(dict[str, object])


def encoded(message: Question | Answer) -> bytes:
    """*message* as one line."""
    return _ENCODER.encode(message) + b"\n"


def question(line: bytes) -> Question | Problem:
    """Reads a question."""
    try:
        version = _VERSION.decode(line).get("version", VERSION)
        if version != VERSION:
            return Problem(ProblemKind.OTHER_VERSION)
        asked = _QUESTION.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Problem(ProblemKind.NOT_UNDERSTOOD)
    texts = (asked.whom.target, asked.whom.address, asked.reason if isinstance(asked, AskEnd) else None)
    if any(text is not None and len(text) > MOST_CHARACTERS for text in texts) or not is_address(asked.whom.address):
        return Problem(ProblemKind.NOT_UNDERSTOOD)
    if not isinstance(asked, AskSessions) and asked.whom == Whom():
        # ending or following everybody is asked for by the network of all addresses
        return Problem(ProblemKind.NOT_UNDERSTOOD)
    return asked


def answer(line: bytes) -> Answer:
    """Reads an answer. Raises msgspec.MsgspecError."""
    return _ANSWER.decode(line)


def is_address(text: str | None) -> bool:
    """Whether *text* can be the address in a Whom."""
    if text is None or text == UNIX:
        return True
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True
