"""A POP3 session: the life of one connection, from greeting to QUIT.

Commands are obeyed one at a time, in the order received, so a client may pipeline (RFC 2449 §6.6). Only QUIT removes
messages (RFC 1939 §6): a session that breaks off, times out or is shut down changes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator

from mektup.auth.connections import AccountConnection
from mektup.auth.services import FAILED_LOGINS, Services
from mektup.pop3 import login
from mektup.pop3.commands import Command, Pop3State, parse
from mektup.pop3.maildrop import Maildrop, open_maildrop
from mektup.pop3.multiline import Stuffer, TopCutter
from mektup.store.interface import AccountEntry
from mektup.terms.errors import ClientError, Code, Disconnected, Refused, TimedOut
from mektup.terms.lines import LineBuffer
from mektup.terms.peer import Peer

LISTED_AT_ONCE = 1000
"""Lines of a listing between two drains."""


class Pop3Session:
    """One client, from greeting to QUIT."""

    def __init__(self, peer: Peer, services: Services) -> None:
        self.peer = peer
        self.services = services
        self.user: bytes | None = None
        """The name from USER, for the next PASS."""
        self._lines = LineBuffer(services.limits.login_line_bytes)
        self._state = Pop3State.AUTHORIZATION
        self._maildrop: Maildrop | None = None
        self._place: AccountConnection | None = None
        self._midway = False
        """Whether a multi-line response has begun and not ended, so that no error can be sent."""
        self._login_failures = 0
        self._bad_commands = 0
        self._ending = False
        self._deadline = time.monotonic() + services.limits.login_seconds

    async def run(self) -> None:
        """Serves the peer until either side ends the session; raises only at a bug outside of any command."""
        self.say(f"+OK mektup POP3 ready, session {self.services.session_id}")
        try:
            while not self._ending:
                await self._serve()
            await self.peer.drain()
        except Disconnected:
            pass
        except TimedOut:
            # RFC 1939 §3: after an idle timeout, the server sends nothing and removes nothing
            if self.peer.dismissal is not None:
                self.end(f"-ERR [SYS/TEMP] {self.peer.dismissal}; nothing was removed")
        finally:
            if self._place is not None:
                self._place.close()

    async def _serve(self) -> None:
        if self.peer.dismissal is not None:
            raise TimedOut(self.peer.dismissal)
        try:
            line = self._lines.next_line()
        except ClientError as mistake:
            self._complain(mistake)
            return
        if line is not None:
            await self._obey(line)
            # the client may pipeline many commands, and read no answers
            if self.peer.is_due:
                await self.peer.drain()
        elif await self.peer.wait(None, self._patience()):
            self._lines.feed(await self.peer.read(self._patience()))
        elif not self.peer.stopping:
            raise TimedOut

    def _patience(self) -> float:
        if self._state is Pop3State.TRANSACTION:
            return self.services.limits.idle_seconds
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimedOut
        return left

    async def _obey(self, line: bytes) -> None:
        verb = line[:4]
        self.services.tally.commands += 1
        try:
            command = parse(line, self._state)
            verb = command.verb.encode()
            await self._run(command)
        except ClientError as mistake:
            self._complain(mistake)
        except Refused as refusal:
            if refusal.code is Code.PRIVACYREQUIRED:
                self.services.log.warning("login_refused", reason="the connection is not encrypted")
            self._tell(error(refusal))
        except (Disconnected, TimedOut):
            raise
        except Exception:
            # the boundary: a bug is answered, logged with its traceback, and the session goes on
            self.services.tally.bugs += 1
            self.services.log.exception("command_failed", verb=verb)
            self._tell(f"-ERR [{Code.SERVERBUG.pop3}] Internal error, session {self.services.session_id}")

    async def _run(self, command: Command) -> None:
        began = time.monotonic()
        try:
            await _RUNS[command.verb](self, command)
        finally:
            self.services.tally.durations.add(command.verb, time.monotonic() - began)

    def _tell(self, line: str) -> None:
        if self._midway:
            # In the middle of a message, the client would take the error for a part of it. A connection that ends
            # without the final dot shows that the message is incomplete.
            self._ending = True
        else:
            self.say(line)

    def _set_midway(self, midway: bool) -> None:
        self._midway = self.peer.in_response = midway

    def _complain(self, mistake: ClientError) -> None:
        self.say(f"-ERR {mistake}")
        self._bad_commands += 1
        limits = self.services.limits
        most = limits.bad_commands if self._state is Pop3State.TRANSACTION else limits.login_bad_commands
        if self._bad_commands >= most:
            self.end("-ERR Too many commands that are no POP3")

    # For commands

    def say(self, line: str) -> None:
        """Queues one line."""
        self.peer.write(line.encode("ascii", "replace") + b"\r\n")

    def end(self, line: str) -> None:
        """Queues the last line of the session."""
        self.say(line)
        self._ending = True

    async def read_line(self) -> bytes:
        """The next line where no command is expected. Raises ClientError for one that is too long."""
        while (line := self._lines.next_line()) is None:
            self._lines.feed(await self.peer.read(self._patience()))
        return line

    async def enter(self, entry: AccountEntry) -> None:
        """Logs the client in to the account of *entry*, and opens its maildrop. Raises Refused."""
        place = self.services.authenticator.connections.open(entry.id)
        try:
            self._maildrop = await open_maildrop(await self.services.store.account(entry.id))
        except BaseException:
            place.close()
            raise
        self._place = place
        place.occupy(entry, self.peer)
        self._state = Pop3State.TRANSACTION
        self._bad_commands = 0
        self.services.log.info("login", user=entry.name)
        messages, octets = self._maildrop.stat()
        self.say(f"+OK Welcome, there are {messages} messages ({octets} octets)")

    def count_login_failure(self, refusal: Refused, mechanism: str, name: bytes) -> None:
        """Counts a failed login; too many end the session."""
        if refusal.code not in FAILED_LOGINS:
            return
        self.services.log_failed_login(refusal, mechanism, name, self.peer.address)
        self._login_failures += 1
        if self._login_failures >= self.services.limits.login_failures:
            self._ending = True

    @property
    def drop(self) -> Maildrop:
        """The maildrop; only after login."""
        assert self._maildrop is not None
        return self._maildrop

    # Commands of both states

    async def capa(self, command: Command) -> None:
        """RFC 2449 §5. SASL is listed after the login, too (RFC 5034 §3)."""
        self.say("+OK This is what can be done here")
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
        yield "SASL " + " ".join(authenticator.mechanisms(self.peer))
        # RFC 2595 §4: announced only before login, and only while the connection is not encrypted
        if self._may_start_tls():
            yield "STLS"
        yield "IMPLEMENTATION mektup"

    def _may_start_tls(self) -> bool:
        return self.services.can_start_tls and not self.peer.secure and self._state is Pop3State.AUTHORIZATION

    async def quit(self, command: Command) -> None:
        """RFC 1939 §4, and §6 after a login: the UPDATE state."""
        self._ending = True
        if self._maildrop is None:
            self.say("+OK Goodbye")
            return
        await self._maildrop.update()
        messages, _ = self._maildrop.stat()
        self.say(f"+OK Goodbye, {messages} messages left")

    # Commands before the login; USER, PASS and AUTH are in ``pop3.login``

    async def stls(self, command: Command) -> None:
        """RFC 2595 §4."""
        if not self._may_start_tls():
            raise Refused(
                None, "The connection is encrypted already" if self.peer.secure else "There is no certificate"
            )
        if self._lines.has_buffered or self.peer.has_unread:
            # An attacker may have injected it; after TLS it would pass for the client's.
            self.end("-ERR Nothing may follow STLS before the connection is encrypted")
            return
        self.say("+OK Go ahead with TLS")
        await self.peer.start_tls()
        # RFC 2595 §4: the server forgets what the client sent before TLS
        self.user = None

    async def utf8(self, command: Command) -> None:
        """RFC 6856 §2.1. Messages are sent unchanged in both modes: there is nothing to convert."""
        self.say("+OK UTF-8 it is")

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
        lines = [f"+OK {messages} messages ({octets} octets)\r\n"]
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
        await self._give(number, f"+OK {self.drop.size(number)} octets", None)
        self.drop.retrieved(number)

    async def top(self, command: Command) -> None:
        """RFC 1939 §7."""
        number, lines = command.numbers
        self.drop.require(number)
        await self._give(number, "+OK The top of it", TopCutter(lines))

    async def _give(self, number: int, first: str, cutter: TopCutter | None) -> None:
        stuffer = Stuffer()
        enough = (lambda: False) if cutter is None else (lambda: cutter.is_done)
        async for piece in self.drop.content(number, enough):
            if not self._midway:
                # only once there is a piece: before that, a message that is gone can be refused
                self.say(first)
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
        self.say(f"+OK Message {number} will be removed at QUIT")

    async def rset(self, command: Command) -> None:
        """RFC 1939 §5."""
        self.drop.undelete_all()
        messages, octets = self.drop.stat()
        self.say(f"+OK {messages} messages ({octets} octets)")

    async def noop(self, command: Command) -> None:
        """RFC 1939 §5."""
        self.say("+OK")


def error(refusal: Refused) -> str:
    """The line for a refusal, with its response code where POP3 has one (RFC 2449 §8, RFC 3206)."""
    code = refusal.code.pop3 if refusal.code is not None else ""
    return f"-ERR [{code}] {refusal}" if code else f"-ERR {refusal}"


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
