"""A POP3 session: the life of one connection, from greeting to QUIT.

Commands are obeyed one at a time, in the order received, so a client may pipeline (RFC 2449 §6.6). Only QUIT removes
messages (RFC 1939 §6): a session that breaks off, times out or is shut down changes nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator

from mektup.pop3 import login, masking, texts
from mektup.pop3.commands import Command, Pop3State, parse
from mektup.pop3.maildrop import Maildrop, open_maildrop
from mektup.pop3.multiline import Stuffer, TopCutter
from mektup.session.life import Ending
from mektup.session.line_session import LineSession
from mektup.session.services import Services
from mektup.session.tap import MASK, Tap
from mektup.session.texts import ENCRYPTED_ALREADY, GOODBYE
from mektup.store.interface import AccountEntry
from mektup.terms.errors import ClientError, Refused, TimedOut
from mektup.terms.peer import Peer
from mektup.terms.texts import AND_SO, ENGLISH, NOTHING_REMOVED, Text

LISTED_AT_ONCE = 1000
"""Lines of a listing between two drains."""


class Pop3Session(LineSession):
    """One client, from greeting to QUIT."""

    __slots__ = ("_maildrop", "_midway", "_state", "user_given")

    protocol = "POP3"

    def __init__(self, peer: Peer, services: Services) -> None:
        super().__init__(peer, services)
        self.user_given: bytes | None = None
        """The name from USER, for the next PASS."""
        self._state = Pop3State.AUTHORIZATION
        self._maildrop: Maildrop | None = None
        self._midway = False
        """Whether a multi-line response has begun and not ended, so that no error can be sent."""

    # See ``LineSession`` and ``Life``

    def greet(self) -> None:
        """RFC 1939 §4."""
        self.succeed(texts.READY.of(session=self.services.session_id))

    def command(self, line: bytes) -> tuple[str, Awaitable[None]]:
        """See ``LineSession``."""
        command = parse(line, self._state)
        return command.verb, _RUNS[command.verb](self, command)

    def tell(self, tap: Tap, line: bytes) -> None:
        """See ``LineSession``."""
        masking.tell_command(tap, line)

    def complain(self, mistake: ClientError) -> None:
        """See ``LineSession``."""
        self.say(f"-ERR {self.in_words(mistake.whole)}")

    def refuse(self, refusal: Refused) -> None:
        """See ``LineSession``."""
        if self._midway:
            # In the middle of a message, the client would take the error for a part of it. A connection that ends
            # without the final dot shows that the message is incomplete.
            self.ending = Ending.THROWN_OUT
        else:
            self.say(f"{_error(refusal)} {self.in_words(refusal.text)}")

    def throw_out(self, text: Text) -> None:
        """See ``Life``."""
        self.say(f"-ERR {self.in_words(text)}")
        self.ending = Ending.THROWN_OUT

    def take_leave(self, silence: TimedOut) -> None:
        """RFC 1939 §3: after an idle timeout, the server sends nothing and removes nothing."""
        if self.peer.dismissal is not None:
            farewell = AND_SO.of(first=self.peer.dismissal, then=NOTHING_REMOVED)
            self.say(f"-ERR [SYS/TEMP] {self.in_words(farewell)}")

    def end_logins(self) -> None:
        """See ``Life``. The answer to the login is the last line."""
        self.ending = Ending.THROWN_OUT

    def _set_midway(self, midway: bool) -> None:
        self._midway = self.peer.in_response = midway

    # For commands

    def say(self, line: str) -> None:
        """Queues one line."""
        # RFC 6856 §3: only in a language that the client chose may a text have letters beyond ASCII
        self.peer.write(line.encode("ascii" if self.translation is ENGLISH else "utf-8", "replace") + b"\r\n")

    def succeed(self, text: Text) -> None:
        """Queues ``+OK`` and *text*."""
        self.say(f"+OK {self.in_words(text)}")

    async def read_line(self) -> bytes:
        """The next line where no command is expected. Raises ClientError for one that is too long."""
        while (line := self.lines.next_line()) is None:
            self.lines.feed(await self.peer.read(self.patience()))
        if self.tap is not None:
            self.tap.rest(MASK)
        return line

    async def enter(self, entry: AccountEntry) -> None:
        """Logs the client in to the account of *entry*, and opens its maildrop. Raises Refused."""
        with self.entering(entry):
            maildrop = self._maildrop = await open_maildrop(await self.services.store.account(entry))
        self._state = Pop3State.TRANSACTION
        messages, octets = maildrop.stat()
        self.succeed(texts.WELCOME.of(count=messages, octets=octets))

    @property
    def drop(self) -> Maildrop:
        """The maildrop; only after login."""
        assert self._maildrop is not None
        return self._maildrop

    # Commands of both states

    async def capa(self, command: Command) -> None:
        """RFC 2449 §5. SASL is listed after the login, too (RFC 5034 §3)."""
        self.succeed(texts.CAPABILITIES)
        for capability in self._capabilities():
            self.say(capability)
        self.say(".")

    def _capabilities(self) -> Iterator[str]:
        authenticator = self.services.authenticator
        yield from ("TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING", "EXPIRE NEVER")
        # RFC 6856 §2.1: names and passwords may be UTF-8, too
        yield "UTF8 USER"
        if authenticator.may_send_password(self.peer):
            yield "USER"
        yield "SASL " + " ".join(authenticator.mechanisms(self.peer, self.services.hidden))
        # RFC 2595 §4: announced only before login, and only while the connection is not encrypted
        if self._may_start_tls():
            yield "STLS"
        yield "IMPLEMENTATION mektup"

    def _may_start_tls(self) -> bool:
        return self.services.can_start_tls and not self.peer.secure and self._state is Pop3State.AUTHORIZATION

    async def quit(self, command: Command) -> None:
        """RFC 1939 §4, and §6 after a login: the UPDATE state."""
        self.ending = Ending.LOGOUT
        if self._maildrop is None:
            self.succeed(GOODBYE)
            return
        await self._maildrop.update()
        messages, _ = self._maildrop.stat()
        self.succeed(texts.GOODBYE_LEFT.of(count=messages))

    # Commands before the login; USER, PASS and AUTH are in ``pop3.login``

    async def stls(self, command: Command) -> None:
        """RFC 2595 §4."""
        if not self._may_start_tls():
            raise Refused(None, ENCRYPTED_ALREADY if self.peer.secure else texts.NO_CERTIFICATE)
        if self.lines.has_buffered or self.peer.has_unread:
            # An attacker may have injected it; after TLS it would pass for the client's.
            self.throw_out(texts.NOTHING_AFTER_STLS)
            return
        self.succeed(texts.GO_AHEAD_WITH_TLS)
        await self.peer.start_tls()
        # RFC 2595 §4: the server forgets what the client sent before TLS
        self.user_given = None

    async def utf8(self, command: Command) -> None:
        """RFC 6856 §2.1. Messages are sent unchanged in both modes: there is nothing to convert."""
        self.succeed(texts.UTF8_IS_ON)

    # Commands after the login

    async def stat(self, command: Command) -> None:
        """RFC 1939 §5."""
        messages, octets = self.drop.stat()
        self.say(f"+OK {messages} {octets}")

    async def list(self, command: Command) -> None:
        """RFC 1939 §5."""
        await self._listing(command, lambda number: str(self.drop.size(number)))

    async def uidl(self, command: Command) -> None:
        """RFC 1939 §7."""
        await self._listing(command, self.drop.unique_id)

    async def _listing(self, command: Command, about: Callable[[int], str]) -> None:
        if command.numbers:
            (number,) = command.numbers
            self.drop.require(number)
            self.say(f"+OK {number} {about(number)}")
            return
        messages, octets = self.drop.stat()
        self.succeed(texts.MESSAGES.of(count=messages, octets=octets))
        lines: list[str] = []
        self._set_midway(True)
        for number in self.drop.numbers():
            lines.append(f"{number} {about(number)}\r\n")
            if len(lines) == LISTED_AT_ONCE:
                self.peer.write("".join(lines).encode("ascii"))
                lines.clear()
                await self.peer.drain()
        self.peer.write("".join([*lines, ".\r\n"]).encode("ascii"))
        self._set_midway(False)
        await self.peer.drain()

    async def retr(self, command: Command) -> None:
        """RFC 1939 §5."""
        (number,) = command.numbers
        self.drop.require(number)
        await self._give(number, texts.OCTETS.of(count=self.drop.size(number)), None)
        self.fetched += 1
        self.drop.retrieved(number)

    async def top(self, command: Command) -> None:
        """RFC 1939 §7."""
        number, lines = command.numbers
        self.drop.require(number)
        await self._give(number, texts.TOP, TopCutter(lines))

    async def _give(self, number: int, first: Text, cutter: TopCutter | None) -> None:
        stuffer = Stuffer()
        enough = (lambda: False) if cutter is None else (lambda: cutter.is_done)
        async for piece in self.drop.content(number, enough):
            if not self._midway:
                # only once there is a piece: before that, a message that is gone can be refused
                self.succeed(first)
                self._set_midway(True)
            if ready := stuffer.take(piece if cutter is None else cutter.take(piece)):
                self.peer.write(ready)
                await self.peer.drain()
        self.peer.write(stuffer.finish())
        self._set_midway(False)
        await self.peer.drain()

    async def dele(self, command: Command) -> None:
        """RFC 1939 §5."""
        (number,) = command.numbers
        self.drop.require(number)
        self.drop.delete(number)
        self.succeed(texts.WILL_BE_REMOVED.of(number=number))

    async def rset(self, command: Command) -> None:
        """RFC 1939 §5."""
        self.drop.undelete_all()
        messages, octets = self.drop.stat()
        self.succeed(texts.MESSAGES.of(count=messages, octets=octets))

    async def noop(self, command: Command) -> None:
        """RFC 1939 §5."""
        self.say("+OK")


def _error(refusal: Refused) -> str:
    """The beginning of the line for a refusal, with its response code where there is one (RFC 2449 §8, RFC 3206)."""
    code = refusal.code.pop3 if refusal.code is not None else ""
    return f"-ERR [{code}]" if code else "-ERR"


_RUNS: dict[str, Callable[[Pop3Session, Command], Awaitable[None]]] = {
    "CAPA": Pop3Session.capa,
    "QUIT": Pop3Session.quit,
    "USER": login.user,
    "PASS": login.password,
    "AUTH": login.auth,
    "STLS": Pop3Session.stls,
    "UTF8": Pop3Session.utf8,
    "STAT": Pop3Session.stat,
    "LIST": Pop3Session.list,
    "UIDL": Pop3Session.uidl,
    "RETR": Pop3Session.retr,
    "TOP": Pop3Session.top,
    "DELE": Pop3Session.dele,
    "RSET": Pop3Session.rset,
    "NOOP": Pop3Session.noop,
}
