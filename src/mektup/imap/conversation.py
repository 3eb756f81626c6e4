"""What a command may use of its session.

Commands, and what they share, know this and not the session, so that none of them depends on how a session lives.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterator
from gettext import NullTranslations
from typing import Protocol, TypeVar

from mektup.imap.answers import Answer
from mektup.imap.client import Client
from mektup.imap.fetch.flag_words import FlagWords
from mektup.imap.sync.notifications import Notifications
from mektup.imap.sync.view import View
from mektup.session.services import Services
from mektup.store.interface import Account, AccountEntry
from mektup.store.spool import Spool
from mektup.terms.errors import Refused
from mektup.terms.peer import Peer
from mektup.terms.texts import Text
from mektup.wire.receiver import Receiver
from mektup.wire.requests import Request

T = TypeVar("T")


class Conversation(Protocol):
    """The conversation with one client, seen by a command."""

    peer: Peer
    services: Services
    receiver: Receiver
    account: Account | None
    """The account; None before login."""
    view: View | None
    """The view of the selected mailbox."""
    client: Client
    """What the client has enabled."""
    notifications: Notifications | None
    """What the client wants to be told of without asking; None before its first NOTIFY."""
    translation: NullTranslations
    """The language of texts for the client."""
    hidden: frozenset[str]
    """Capabilities that are hidden from the client, in upper case."""
    identity: str | None
    """How the client's program called itself by ID; None if it has not."""

    @property
    def has_ended(self) -> bool:
        """Whether the session ends after the current command."""

    @property
    def mail(self) -> Account:
        """The account; only after login."""

    @property
    def selected(self) -> View:
        """The view; only in the selected state."""

    @property
    def flag_words(self) -> FlagWords:
        """The flags that a flag word stands for, as wire bytes."""

    @property
    def expects_numbers(self) -> bool:
        """Whether the client has pipelined a command with sequence numbers, so no EXPUNGE may change them now.

        RFC 9051 §5.5: a client should not; if it does, it means the old numbers.
        """

    def notify(self, notifications: Notifications | None) -> None:
        """Replaces ``notifications``, and ends what they watched."""

    def write(self, octets: bytes) -> None:
        """Queues *octets* for the client."""

    async def give_way(self) -> None:
        """Drains if much is queued, or if other sessions are due to run.

        To be called in long loops. Raises Disconnected.
        """

    async def seek(self, answer: Awaitable[T]) -> T:
        """Awaits *answer*, which changes nothing, and cancels it when the client disconnects."""

    def ahead(self) -> Iterator[Request]:
        """The requests that the client pipelined after the current one, up to one that is wrong or has a literal.

        They stay queued until ``go_on`` takes them.
        """

    def go_on(self, coming: Request, outcome: Answer | Refused | None = None) -> None:
        """Answers the current request by *outcome*, and takes the first request of ``ahead``: now *coming* is current.

        For requests that are done together. None stands for the usual OK.
        """

    def answer(self, answer: Answer) -> None:
        """Writes the tagged OK before the command ends. For STARTTLS: what follows its answer is encrypted."""

    def new_spool(self, memory: int, *, unchanged: bool = False) -> Spool:
        """A spool for octets that the current command makes, of which it keeps *memory* octets in memory.

        It ends with the command. A bare LF becomes CRLF, unless *unchanged*.
        """

    def next_line(self) -> bytes | None:
        """The next line where no command is expected, if it has come. Raises ClientError."""

    async def read_line(self) -> bytes:
        """The next line where no command is expected, without CRLF: DONE, or a SASL response. Raises ClientError."""

    def throw_out(self, text: Text) -> None:
        """Says BYE and ends the session after the current command."""

    def log_out(self) -> None:
        """Ends the session after the tagged answer; the client asked for it."""

    async def enter(self, entry: AccountEntry) -> None:
        """Moves to the authenticated state with the account of *entry*.

        Raises Refused(LIMIT) if the account has too many connections, Refused(UNAVAILABLE) if its mail cannot be
        opened.
        """

    def leave(self) -> None:
        """Returns to the not authenticated state, and forgets all that the client has enabled, opened or begun."""

    @property
    def began(self) -> float:
        """When the current command was complete, by ``time.monotonic``."""

    idling: bool
    """Set by IDLE while it waits for changes."""

    fetched: int
    """Messages fetched so far."""

    def count_login_failure(self, refusal: Refused, mechanism: str, name: bytes) -> None:
        """Counts a failed login; too many end the session."""

    def enable(self, client: Client) -> None:
        """Replaces ``client`` by *client*, which has enabled more.

        Writes HIGHESTMODSEQ if modseqs are new to it and a mailbox is open.
        """

    def select(self, view: View) -> None:
        """Makes *view* the selected mailbox; unselects the one before."""

    def unselect(self) -> None:
        """Closes the selected mailbox, if there is one, and changes nothing in it."""
