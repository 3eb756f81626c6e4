"""The life of a session, the same in every protocol: how long it waits, what it counts, and how it ends."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from enum import Enum, auto
from typing import ClassVar

from mektup.auth.connections import AccountConnection
from mektup.session import texts
from mektup.session.services import Services
from mektup.store.interface import AccountEntry
from mektup.terms.errors import Code, Disconnected, Refused, TimedOut
from mektup.terms.peer import Peer
from mektup.terms.texts import ENGLISH, Text, say

FAILED_LOGINS = frozenset({Code.AUTHENTICATIONFAILED, Code.AUTHORIZATIONFAILED, Code.UNAVAILABLE})
"""Refusals that count towards ``limits.login_failures``. UNAVAILABLE: attempts came too fast to be checked."""

LOGGED_NAME_BYTES = 256
"""The log has at most so many octets of the name in a failed login."""


class Ending(Enum):
    """How a session ended."""

    LOGOUT = auto()
    """The client said goodbye."""
    GONE = auto()
    """The connection is closed or broken."""
    TIMED_OUT = auto()
    """The client was silent for too long, or the server ended the session between two commands."""
    THROWN_OUT = auto()
    """The client made too many mistakes, or one after which the session cannot go on."""


class Life:
    """The base of a session with one client. A protocol adds how it reads commands, and what it says."""

    __slots__ = (
        "_bad_commands",
        "_deadline",
        "_login_failures",
        "_place",
        "ending",
        "is_stranger",
        "peer",
        "services",
        "translation",
        "user",
    )

    protocol: ClassVar[str]
    """The name of the protocol, for texts."""
    logs_in: ClassVar[bool] = True
    """Whether a client must log in."""

    def __init__(self, peer: Peer, services: Services) -> None:
        self.peer = peer
        self.services = services
        self.ending: Ending | None = None
        """None while the session goes on; it ends after the current command."""
        self.is_stranger = self.logs_in
        """Whether the client has yet to log in: its time and its mistakes then have lower limits."""
        self.translation = ENGLISH
        """The language of all texts for the client; only this attribute says which one it is."""
        self.user: str | None = None
        """The account's name, after the login."""
        self._place: AccountConnection | None = None
        self._bad_commands = 0
        self._login_failures = 0
        self._deadline = time.monotonic() + services.limits.login_seconds

    # What a protocol defines

    def throw_out(self, text: Text) -> None:
        """Tells the client why the session ends, and ends it after the current command."""
        raise NotImplementedError

    def take_leave(self, silence: TimedOut) -> None:
        """Queues the last words, if the protocol has any for a client that did not ask for the end."""
        raise NotImplementedError

    def end_logins(self) -> None:
        """Ends the session after too many failed logins."""
        self.throw_out(texts.TOO_MANY_FAILED_LOGINS)

    # Texts

    def in_words(self, text: Text | str) -> str:
        """*text* in the client's language; a str has no other language."""
        return say(text, self.translation) if isinstance(text, Text) else text

    # Waiting and ending

    def patience(self) -> float:
        """Seconds that the client may stay silent now. Raises TimedOut when its time to log in is over."""
        if not self.is_stranger:
            return self.services.limits.idle_seconds
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimedOut(texts.TOO_SLOW_TO_LOG_IN)
        return left

    async def part(self, cause: Disconnected | TimedOut) -> None:
        """Ends the session because of *cause*, which a read, a wait or a drain has raised."""
        if isinstance(cause, Disconnected):
            self.ending = Ending.GONE
            return
        self.ending = Ending.TIMED_OUT
        self.take_leave(cause)
        try:
            await self.peer.drain()
        except Disconnected:
            self.ending = Ending.GONE

    def release(self) -> None:
        """Gives back what the session holds; to be called at its end, whatever ended it."""
        if self._place is not None:
            self._place.close()

    # Logging in

    @contextmanager
    def entering(self, entry: AccountEntry) -> Iterator[None]:
        """Logs the client in to the account of *entry*, if the ``with`` block, which opens the mail, does not fail.

        Raises Refused(LIMIT) if the account has too many sessions.
        """
        with ExitStack() as stack:
            place = stack.enter_context(self.services.authenticator.connections.open(entry.id))
            yield
            stack.pop_all()
        self._place = place
        place.occupy(entry, self.peer)
        self.user = entry.name
        self.is_stranger = False
        self._bad_commands = 0
        self.services.log.info("login", user=entry.name)

    def count_login_failure(self, refusal: Refused, mechanism: str, name: bytes) -> None:
        """Counts a failed login; too many end the session. The log has *name* as given, but cut and escaped."""
        if refusal.code is None or refusal.code not in FAILED_LOGINS:
            return
        shown = name[:LOGGED_NAME_BYTES].decode("utf-8", "backslashreplace")
        reason, address = refusal.code.imap, self.peer.address
        self.services.log.warning("auth_failed", user=shown, ip=address, mech=mechanism, reason=reason)
        self._login_failures += 1
        if self._login_failures >= self.services.limits.login_failures:
            self.end_logins()

    # Errors of commands

    def count_bad_command(self) -> None:
        """Counts a mistake; too many end the session. A login forgets the mistakes before it."""
        self._bad_commands += 1
        limits = self.services.limits
        if self._bad_commands >= (limits.login_bad_commands if self.is_stranger else limits.bad_commands):
            self.throw_out(texts.TOO_MANY_BAD_COMMANDS.of(protocol=self.protocol))

    def note_refusal(self, refusal: Refused) -> None:
        """Logs or counts a refusal that an operator should know of.

        Somebody's client sends passwords in the clear, or it is not known whether a change was made.
        """
        if refusal.uncertain:
            self.services.tally.uncertain += 1
        if refusal.code is Code.PRIVACYREQUIRED:
            self.services.log.warning("login_refused", reason="the connection is not encrypted")

    def note_bug(self, failure: Exception, **command: object) -> None:
        """Counts an error of ours, and logs it with its traceback and what is known of the *command*."""
        self.services.tally.bugs += 1
        self.services.log.error("command_failed", user=self.user, exc_info=failure, **command)
