"""The changes that a client asks for, as the journal keeps them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

Flags = frozenset[str]


@dataclass(frozen=True, slots=True)
class Between:
    """An internal date that the server chose, in seconds since 1970: not before *first*, not after *last*."""

    first: float
    last: float


Date = str | Between
"""An internal date: as FETCH shows it, or a range."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that a client sends."""

    digest: str
    flags: Flags
    date: Date


@dataclass(slots=True, eq=False, kw_only=True)
class Operation:
    """A change. It is in flight from *began* until *ended*, which are numbers of the journal's events."""

    client: str
    began: int = 0
    ended: int | None = None


@dataclass(slots=True, eq=False, kw_only=True)
class Append(Operation):
    """APPEND of one or more messages, all or none."""

    target: str
    messages: list[Sent]


@dataclass(slots=True, eq=False, kw_only=True)
class Deliver(Operation):
    """The delivery of a message to INBOX by LMTP."""

    message: Sent


@dataclass(slots=True, eq=False, kw_only=True)
class Transfer(Operation):
    """COPY or MOVE from the mailbox with that UIDVALIDITY, all or none."""

    source: int
    uids: frozenset[int]
    target: str
    is_move: bool


class How(Enum):
    """What STORE does with its flags."""

    ADD = "+"
    REMOVE = "-"
    REPLACE = ""


@dataclass(slots=True, eq=False, kw_only=True)
class Store(Operation):
    """STORE. With *conditional* (UNCHANGEDSINCE) it may leave out messages that others changed."""

    mailbox: int
    uids: frozenset[int]
    how: How
    flags: Flags
    is_conditional: bool = False

    def applied_to(self, flags: Flags) -> Flags:
        """The flags of a message that had *flags*."""
        match self.how:
            case How.ADD:
                return flags | self.flags
            case How.REMOVE:
                return flags - self.flags
            case How.REPLACE:
                return self.flags


@dataclass(slots=True, eq=False, kw_only=True)
class Expunge(Operation):
    """EXPUNGE, or UID EXPUNGE of *uids*: removes what has the flag for deletion."""

    mailbox: int
    uids: frozenset[int] | None = None


@dataclass(slots=True, eq=False, kw_only=True)
class Remove(Operation):
    """QUIT of POP3 after DELE: removes *uids*, whatever their flags."""

    mailbox: int
    uids: frozenset[int]


@dataclass(slots=True, eq=False, kw_only=True)
class Create(Operation):
    """CREATE."""

    name: str


@dataclass(slots=True, eq=False, kw_only=True)
class Delete(Operation):
    """DELETE of a mailbox without inferiors."""

    name: str


@dataclass(slots=True, eq=False, kw_only=True)
class Rename(Operation):
    """RENAME of a mailbox with all below it. RENAME of INBOX moves its messages."""

    old: str
    new: str
    inbox: dict[int, str] = field(default_factory=dict)
    """For INBOX: the digests of its messages by UID."""


@dataclass(slots=True, eq=False, kw_only=True)
class Subscribe(Operation):
    """SUBSCRIBE or UNSUBSCRIBE."""

    name: str
    is_wanted: bool


TreeOperation = Create | Delete | Rename | Subscribe
