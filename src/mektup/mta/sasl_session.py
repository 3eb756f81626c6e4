"""A session with an SMTP server that asks who may log in: Dovecot's authentication protocol, see ``sasl_lines``.

Postfix speaks it with ``smtpd_sasl_type = dovecot``, and Exim, too. The SMTP server passes on what its client says, and
names the client's address (``rip``) and whether the connection to it is encrypted (``secured``). So each login is
throttled, logged and counted as if that client had logged in here.

A connection may have several logins in progress, each with a number. Lines are obeyed one after the other: a login that
waits because of earlier failures delays the later ones of its connection. Postfix has a connection for each client.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Awaitable, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address

from mektup.auth.sasl import Complaints, Dialogue, initial_response
from mektup.mta import texts
from mektup.mta.masking import tell_command
from mektup.mta.sasl_lines import MAJOR, MINOR, Auth, Cancel, Command, Cont, Cpid, Version, escaped, parse
from mektup.session.life import LOGGED_NAME_BYTES, Ending
from mektup.session.line_session import LineSession
from mektup.session.services import Services
from mektup.session.tap import Tap
from mektup.store.interface import AccountEntry
from mektup.terms.errors import ClientError, Code, Refused, TimedOut
from mektup.terms.peer import Peer, TlsFacts
from mektup.terms.texts import Text

_COMPLAINTS = Complaints(cancelled=texts.CANCELLED, not_base64=texts.BASE64_EXPECTED)

SERVICES = frozenset({"smtp", "submission", "smtps", "submissions"})
"""Services whose clients may log in here: those that send mail. IMAP and POP3 are ours."""

_PROPERTIES = {"PLAIN": "plaintext", "LOGIN": "plaintext"}
"""What the protocol says of a mechanism, so that Postfix can leave it out (``smtpd_sasl_security_options``)."""
_USUAL_PROPERTY = "mutual-auth"


@dataclass(frozen=True, slots=True)
class SmtpClient:
    """The client of the SMTP server: a ``terms.peer.Origin``."""

    address: str
    local: bool
    secure: bool
    tls: TlsFacts | None = None
    """Nothing can be bound to its TLS, which is not ours."""


@dataclass(slots=True)
class Request:
    """A login in progress."""

    number: int
    mechanism: str
    client: SmtpClient
    dialogue: Dialogue
    began: float = field(default_factory=time.monotonic)


class SaslSession(LineSession):
    """One connection of an SMTP server, which ends when that server has no more clients."""

    __slots__ = ("_asked", "_number", "_requests", "_speaks")

    protocol = "SASL"
    logs_in = False
    hears_passwords = True

    def __init__(self, peer: Peer, services: Services) -> None:
        super().__init__(peer, services)
        self._requests: dict[int, Request] = {}
        """Those that wait for their client, by number; the oldest first."""
        self._number: int | None = None
        """The number of the login that the current line belongs to."""
        self._asked: bytes = b""
        """The name that is given in it."""
        self._speaks = False
        """Whether VERSION has come."""

    # See ``LineSession`` and ``Life``

    def greet(self) -> None:
        """The server's handshake; the client may send its own before it has read this."""
        origin = SmtpClient(self.peer.address, self.peer.local, secure=True)
        self._write("VERSION", str(MAJOR), str(MINOR))
        for mechanism in self.services.authenticator.mechanisms(origin, self.services.hidden):
            self._write("MECH", mechanism, _PROPERTIES.get(mechanism, _USUAL_PROPERTY))
        self._write("SPID", str(os.getpid()))
        self._write("CUID", str(secrets.randbelow(2**31)))
        self._write("COOKIE", secrets.token_hex(16))
        self._write("DONE")

    def command(self, line: bytes) -> tuple[str, Awaitable[None]]:
        """See ``LineSession``."""
        self._number, self._asked = None, b""
        command = parse(line)
        return type(command).__name__.upper(), self._run(command)

    def tell(self, tap: Tap, line: bytes) -> None:
        """See ``LineSession``."""
        tell_command(tap, line)

    def complain(self, mistake: ClientError) -> None:
        """See ``LineSession``. A line that belongs to no login cannot be answered, and ends the session."""
        if self._number is None:
            self.ending = Ending.THROWN_OUT
        else:
            self._fail(self._number, mistake.whole)

    def refuse(self, refusal: Refused) -> None:
        """See ``LineSession``."""
        if self._number is None:
            self.ending = Ending.THROWN_OUT
        else:
            self._fail(self._number, refusal.text, *_parameters(refusal))

    def throw_out(self, text: Text) -> None:
        """See ``Life``. The protocol has no words for it."""
        self.ending = Ending.THROWN_OUT

    def take_leave(self, silence: TimedOut) -> None:
        """See ``Life``."""

    # Commands

    async def _run(self, command: Command) -> None:
        self._forget_old()
        match command:
            case Version():
                self._speaks = command.major == MAJOR
                if not self._speaks:
                    raise ClientError(texts.VERSION_EXPECTED.of(major=MAJOR))
            case Cpid():
                self.identity = f"pid {command.pid}"
            case Auth():
                await self._begin(command)
            case Cont():
                await self._go_on(command)
            case Cancel():
                self._requests.pop(command.number, None)

    async def _begin(self, command: Auth) -> None:
        if not self._speaks or self.identity is None:
            raise ClientError(texts.VERSION_EXPECTED.of(major=MAJOR))
        if command.number in self._requests:
            raise ClientError(texts.NUMBER_IN_USE)
        self._number = command.number
        client = self._client_of(command)
        exchange = self.services.authenticator.exchange(command.mechanism, client, self.services.hidden)
        initial = None if command.initial is None else initial_response(command.initial, _COMPLAINTS)
        request = Request(command.number, command.mechanism, client, Dialogue(exchange, _COMPLAINTS))
        await self._step(request, request.dialogue.begin(initial))

    async def _go_on(self, command: Cont) -> None:
        self._number = command.number
        request = self._requests.pop(command.number, None)
        if request is None:
            # it has failed, because it was too old
            raise ClientError(texts.TOO_LONG_IN_PROGRESS)
        await self._step(request, request.dialogue.go_on(command.response))

    async def _step(self, request: Request, step: Awaitable[bytes | AccountEntry]) -> None:
        exchange = request.dialogue.exchange
        try:
            outcome = await step
        except Refused as refusal:
            self.note_login_failure(refusal, request.mechanism, exchange.name, request.client.address)
            raise
        finally:
            self._asked = exchange.name
        if isinstance(outcome, bytes):
            self._make_room()
            self._requests[request.number] = request
            self._write("CONT", str(request.number), outcome.decode("ascii"))
            return
        self.services.tally.logins += 1
        log = self.services.log.bind(address=request.client.address)
        log.info("login", user=outcome.name, mech=request.mechanism)
        self._write("OK", str(request.number), f"user={escaped(outcome.name)}")

    def _client_of(self, command: Auth) -> SmtpClient:
        if command.parameters.get("service") not in SERVICES:
            raise ClientError(texts.SUBMISSION_ONLY)
        secure, written = "secured" in command.parameters, command.parameters.get("rip")
        if not written:
            return SmtpClient(self.peer.address, self.peer.local, secure)
        try:
            address = ip_address(written.partition("%")[0])
        except ValueError:
            raise ClientError(texts.ADDRESS_EXPECTED) from None
        mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
        address = mapped or address
        return SmtpClient(str(address), address.is_loopback, secure)

    def _forget_old(self) -> None:
        """Ends logins whose client was silent for too long."""
        ends = time.monotonic() - self.services.limits.login_seconds
        for number in [number for number, request in self._requests.items() if request.began < ends]:
            self._give_up(number)

    def _make_room(self) -> None:
        """Ends the oldest login if there are too many; its client may have gone without a word."""
        if len(self._requests) >= self.services.limits.sasl_requests:
            self._give_up(next(iter(self._requests)))

    def _give_up(self, number: int) -> None:
        del self._requests[number]
        self._write("FAIL", str(number), f"reason={escaped(self.in_words(texts.TOO_LONG_IN_PROGRESS))}", "temp")

    def _fail(self, number: int, reason: Text, *more: str) -> None:
        user = self._asked[:LOGGED_NAME_BYTES].decode("utf-8", "replace")
        named = (f"user={escaped(user)}",) if user else ()
        self._write("FAIL", str(number), *named, f"reason={escaped(self.in_words(reason))}", *more)

    def _write(self, *words: str) -> None:
        self.peer.write(("\t".join(words) + "\n").encode())


def _parameters(refusal: Refused) -> Iterator[str]:
    if refusal.code is Code.AUTHORIZATIONFAILED:
        yield "authz"
    elif refusal.code is not None and refusal.code.lmtp.startswith("4"):
        # Postfix then answers 454, and the client tries again
        yield "temp"
        yield "code=temp_fail"
