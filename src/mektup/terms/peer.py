"""What a session needs from its connection, and from a wake-up.

A session of any protocol awaits only its :class:`Peer` and the store. So a test can run it in memory, even
byte by byte. ``server/connection.py`` implements Peer over asyncio.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from mektup.terms.numbers import MailboxId, ModSeq
from mektup.terms.texts import Text


class Watch(Protocol):
    """A wake-up that a session can wait for. It is a flag, not a queue."""

    @property
    def fired(self) -> bool:
        """Whether something changed since :meth:`rearm`."""

    on_fire: Callable[[], None] | None
    """Called once each time that *fired* turns true; the Peer sets it while it waits."""

    def rearm(self) -> None:
        """Lowers the flag. Call it before looking for changes, never after."""

    def knows(self, modseq: ModSeq) -> None:
        """Says that the waiter knows all changes up to *modseq*: a notice of these does not raise the flag any more.

        Lowers the flag unless a newer change was reported.
        """

    def fire(self) -> None:
        """Raises the flag as if something had changed, so that the session looks for changes."""

    def close(self) -> None:
        """Ends the watch; may be called twice."""


class AccountWatch(Watch, Protocol):
    """A watch on all mailboxes and subscriptions of an account, which knows the mailboxes that changed."""

    def take(self) -> Collection[MailboxId] | None:
        """Lowers the flag, and returns the mailboxes that changed since; None if it may be any.

        Call it before reading the changes. ACCOUNT_ITSELF stands for a change of the account.
        """

    def note(self, mailbox: MailboxId) -> None:
        """Raises the flag as if *mailbox* had changed."""


class TlsFacts(Protocol):
    """What a session may know of the TLS of its connection."""

    @property
    def certificate_hash(self) -> bytes | None:
        """The hash of the server's certificate that the client got: the channel binding ``tls-server-end-point``
        (RFC 5929 §4). None for a certificate whose signature does not define it.
        """

    @property
    def client_name(self) -> str | None:
        """The account that a verified certificate of the client names; None without such a certificate."""


class Origin(Protocol):
    """From where somebody logs in."""

    @property
    def secure(self) -> bool:
        """Whether the bytes are encrypted, or never leave this process."""

    @property
    def tls(self) -> TlsFacts | None:
        """What TLS says of the connection; None if the server has not encrypted it."""

    @property
    def local(self) -> bool:
        """Whether the other end is on this machine: a loopback address or a Unix socket."""

    @property
    def address(self) -> str:
        """The other end, for logs and throttling: an IP address without port, or ``unix``."""


class Peer(Origin, Protocol):
    """One connection, as its session sees it. The session asks for input; output is queued."""

    async def read(self, seconds: float) -> bytes:
        """The next bytes as they were received, at least one.

        Sends queued output first. Raises TimedOut after *seconds*, Disconnected at the end of the stream.
        """

    def write(self, octets: bytes) -> None:
        """Queues *octets* to be sent; never blocks, never raises."""

    def flush(self) -> None:
        """Sends queued output now; never blocks, never raises. Only for what is written while the session awaits."""

    @property
    def is_due(self) -> bool:
        """Whether the session should call :meth:`drain`: much output is queued, or its time slice is over.

        Ask between commands, and inside commands that take long or have long answers. Asking is cheap.
        """

    def is_due_at(self, now: float) -> bool:
        """Like :meth:`is_due`, for callers that have just read the clock: *now* is ``time.monotonic()``."""

    async def drain(self) -> None:
        """Sends queued output, waits while too much of it is unread, and lets other sessions run if they are due.

        Call it between the slices of a long answer. Raises Disconnected.
        """

    async def wait(self, watches: Sequence[Watch], seconds: float) -> bool:
        """Waits until there are bytes to read, one of *watches* fires or has fired, or *seconds* are over.

        Sends queued output first. Returns whether :meth:`read` will return at once: there are bytes to read, or the
        stream has ended.
        """

    async def start_tls(self) -> None:
        """Sends queued output and starts TLS on the connection (RFC 9051 §6.2.1).

        Raises Refused if the server has no certificate. Raises Disconnected if the handshake fails, or if plaintext
        was received after the command that asked for TLS.
        """

    @property
    def compressed(self) -> bool:
        """Whether :meth:`start_compression` was called."""

    def start_compression(self) -> None:
        """Sends queued output; all octets after that are compressed, in both directions (RFC 4978).

        To be called only if there are no unread bytes.
        """

    uploading: bool
    """Set by the session while it reads the rest of a command that may take long to send: a literal, DATA.

    A server that shuts down waits for this rest. It ends any other read with TimedOut.
    """

    in_response: bool
    """Set by the session while a response is only partly written, so that no other line may be sent."""

    seeking: bool
    """Set by the session while it only computes an answer: if the client disconnects meanwhile, it is cancelled."""

    waited: float
    """Seconds that a :meth:`drain` has waited for the client to read. A session adds its reads inside of a command, and
    sets it to 0 between two commands."""

    @property
    def has_unread(self) -> bool:
        """Whether bytes were received that no read has returned yet."""

    @property
    def dismissal(self) -> Text | None:
        """Why the session must end now, as text for the client; None while it may go on."""

    @property
    def stopping(self) -> bool:
        """Whether there is a ``dismissal``. If so, a wait ends at once, and a read ends soon."""

    def dismiss(self, reason: Text) -> None:
        """Makes the session end within a second or two, whatever it is doing; may be called twice.

        A read or a wait ends at once, with TimedOut or without bytes, even where there are bytes to read.
        """
