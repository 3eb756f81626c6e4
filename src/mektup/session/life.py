"""The life of a session, the same in every protocol: how long it waits, what it counts, and how it ends."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from enum import Enum
from typing import ClassVar

from mektup.auth.connections import AccountConnection
from mektup.session import texts
from mektup.session.services import Services
from mektup.session.tap import Tap
from mektup.store.faults import FaultRefused
from mektup.store.interface import AccountEntry
from mektup.terms.durations import count
from mektup.terms.errors import Code, Disconnected, Refused, TimedOut, without_text
from mektup.terms.peer import Peer
from mektup.terms.texts import ENGLISH, Text, say

FAILED_LOGINS = frozenset({Code.AUTHENTICATIONFAILED, Code.AUTHORIZATIONFAILED, Code.UNAVAILABLE})
"""Refusals that count towards ``limits.login_failures``. UNAVAILABLE: attempts came too fast to be checked."""

LOGIN_REASONS: Mapping[Code | None, str] = {
    Code.AUTHENTICATIONFAILED: "wrong",
    Code.AUTHORIZATIONFAILED: "forbidden",
    Code.UNAVAILABLE: "too fast",
    Code.PRIVACYREQUIRED: "not encrypted",
    Code.LIMIT: "too many sessions",
}
"""Why a login was refused, for the metrics."""

OTHER_REASON = "other"
"""The reason of all other refusals, for example a directory that cannot be read."""

NO_LOGIN, NOT_AUTHENTICATED, AUTHENTICATED, SELECTED, IDLE = STAGES = (
    "no login",
    "not authenticated",
    "authenticated",
    "selected",
    "idle",
)
"""The states of a session, for the metrics; NO_LOGIN is for a protocol in which nobody logs in."""

_PROXY_HEADER = re.compile(rb"PROXY (?:TCP[46]|UNKNOWN)\b|QUIT\Z")
"""A line of a PROXY protocol header, version 1 or 2, where a command is expected. QUIT is the end of a signature; a
protocol in which it is a command takes it as one."""

OPEN_ENDED = frozenset({"IDLE"})
"""Commands that last as long as the client wants."""

LOGGED_NAME_BYTES = 256
"""The log has at most so many octets of the name in a failed login."""


class Ending(Enum):
    """How a session ended. The values are for the log."""

    LOGOUT = "logout"
    """The client said goodbye."""
    GONE = "client gone"
    """The connection is closed or broken."""
    TIMED_OUT = "timed out"
    """The client was silent for too long, or the server ended the session between two commands."""
    THROWN_OUT = "thrown out"
    """The client made too many mistakes, or one after which the session cannot go on."""


class Life:
    """The base of a session with one client. A protocol adds how it reads commands, and what it says."""

    __slots__ = (
        "_bad_commands",
        "_clock",
        "_deadline",
        "_login_failures",
        "_place",
        "commands",
        "ending",
        "fetched",
        "identity",
        "is_stranger",
        "last_command",
        "peer",
        "services",
        "tap",
        "translation",
        "user",
    )

    protocol: ClassVar[str]
    """The name of the protocol, for texts."""
    logs_in: ClassVar[bool] = True
    """Whether a client must log in."""
    hears_passwords: ClassVar[bool] = False
    """Whether its commands, also after a login, have passwords of others."""

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
        self.commands = 0
        """Commands of this session so far, those that could not be understood included."""
        self.fetched = 0
        """Messages that the client has fetched so far, whole or in part; a message counts for each command."""
        self.tap: Tap | None = None
        """Who follows the conversation; mostly nobody does."""
        self.last_command = ""
        """The name of the current or last command that could be parsed."""
        self.identity: str | None = None
        """How the client's program called itself, if it did. As sent, but short."""
        self._clock = time.monotonic()
        """When the current command began, or the last one ended."""
        self._place: AccountConnection | None = None
        self._bad_commands = 0
        self._login_failures = 0
        self._deadline = self._clock + services.limits.login_seconds

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

    def tell_progress(self, now: float) -> None:
        """Tells the client that its command goes on, if it is time to and the protocol can.

        Called now and then while the session awaits something that is not its client. *now* is ``time.monotonic()``.
        """

    @property
    def stage(self) -> str:
        """The state of the session, one of STAGES."""
        if not self.logs_in:
            return NO_LOGIN
        return NOT_AUTHENTICATED if self.is_stranger else AUTHENTICATED

    @property
    def mailbox(self) -> str | None:
        """The selected mailbox by its name when it was selected, decoded; None in a protocol without mailboxes."""
        return None

    @property
    def since(self) -> float:
        """When the last command began or ended, of ``time.monotonic()``."""
        return self._clock

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
            try:
                place = stack.enter_context(self.services.authenticator.connections.open(entry.id))
                yield
            except Refused as refusal:
                self._count_refused_login(refusal)
                raise
            stack.pop_all()
        self._place = place
        place.occupy(entry, self.peer)
        self.user = entry.name
        self.is_stranger = False
        self._bad_commands = 0
        self.services.log.info("login", user=entry.name)

    def leave(self) -> None:
        """Logs the client out of its account; the session goes on, and the client may log in again.

        Failed logins and mistakes before stay counted.
        """
        if self._place is not None:
            self._place.leave()
        self.services.log.info("logout", user=self.user)
        self._place = self.user = None
        self.is_stranger = True
        self._deadline = time.monotonic() + self.services.limits.login_seconds

    def count_login_failure(self, refusal: Refused, mechanism: str, name: bytes) -> None:
        """Counts a failed login; too many end the session. The log has *name* as given, but cut and escaped."""
        if not self.note_login_failure(refusal, mechanism, name, self.peer.address):
            return
        self._login_failures += 1
        if self._login_failures >= self.services.limits.login_failures:
            self.end_logins()

    def note_login_failure(self, refusal: Refused, mechanism: str, name: bytes, address: str) -> bool:
        """Counts a failed login from *address*, and logs it. Returns whether somebody may have guessed a password."""
        if refusal.code is not Code.PRIVACYREQUIRED:  # note_refusal counts these
            self._count_refused_login(refusal)
        if refusal.code is None or refusal.code not in FAILED_LOGINS:
            return False
        shown = name[:LOGGED_NAME_BYTES].decode("utf-8", "backslashreplace")
        # ``address`` pays for the line, see ``server.log_budget``
        log = self.services.log.bind(address=address) if address != self.peer.address else self.services.log
        log.warning("auth_failed", user=shown, ip=address, mech=mechanism, reason=refusal.code.imap)
        return True

    def _count_refused_login(self, refusal: Refused) -> None:
        code = None if isinstance(refusal, FaultRefused) else refusal.code
        self.services.tally.refused_logins[LOGIN_REASONS.get(code, OTHER_REASON)] += 1

    # Commands

    def count_duration(self, name: str, seconds: float, line: bytes) -> None:
        """Counts how long the command *name* of our own tables took, and logs it if it was slow. *line* is its line."""
        count(self.services.tally.durations[name], seconds)
        waited, self.peer.waited = self.peer.waited, 0.0
        if 0 < self.services.log_rules.slow_command_seconds <= seconds - waited:
            self._note_slow(name, seconds, waited, line)

    def _note_slow(self, name: str, seconds: float, waited: float, line: bytes) -> None:
        if name in OPEN_ENDED or self.is_stranger or self.hears_passwords:
            # a refused login is slow on purpose
            return
        self.services.tally.slow_commands += 1
        self.services.log.warning(
            "slow_command",
            command=name,
            user=self.user,
            said=self.shown(line),
            seconds=round(seconds, 3),
            client_seconds=round(waited, 3),
        )

    def shown(self, line: bytes) -> str:
        """What the log may show of a command's *line*: nothing, unless the protocol knows what is private in it."""
        return ""

    # Errors of commands

    def count_bad_command(self, line: bytes = b"") -> None:
        """Counts a mistake in *line*; too many end the session. A login forgets the mistakes before it.

        The header of a balancer ends it at once: the server takes none from this address.
        """
        if _PROXY_HEADER.match(line):
            self.services.log.warning("proxy_header_refused", advice="list the balancer's address in [proxy_from]")
            self.throw_out(texts.NO_BALANCER)
            return
        self._bad_commands += 1
        self.services.tally.mistakes += 1
        limits = self.services.limits
        if self._bad_commands >= (limits.login_bad_commands if self.is_stranger else limits.bad_commands):
            self.throw_out(texts.TOO_MANY_BAD_COMMANDS.of(protocol=self.protocol))

    def note_refusal(self, refusal: Refused) -> None:
        """Counts a refusal, and logs it if an operator should know of it."""
        tally = self.services.tally
        tally.refusals[refusal.code] += 1
        if refusal.uncertain:
            tally.uncertain += 1
        if (passed_over := self.services.refusal_log.passed_over(refusal)) is not None:
            code = None if refusal.code is None else refusal.code.name
            more = {"passed_over": passed_over} if passed_over else {}
            self.services.log.warning(
                "refused", user=self.user, code=code, reason=str(refusal), uncertain=refusal.uncertain, **more
            )
        if refusal.code is Code.PRIVACYREQUIRED:
            self._count_refused_login(refusal)
            self.services.log.warning("login_refused", reason="the connection is not encrypted")

    def note_bug(self, failure: Exception, **command: object) -> None:
        """Counts an error of ours, and logs it with its traceback and what is known of the *command*.

        Before the login the log gets nothing that came from the client, because it could be a password.
        """
        self.services.tally.bugs += 1
        if self.is_stranger or self.hears_passwords:
            self.services.log.error("command_failed", user=None, exc_info=without_text(failure))
        else:
            self.services.log.error("command_failed", user=self.user, exc_info=failure, **command)
