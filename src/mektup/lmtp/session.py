"""An LMTP session: takes in messages, with a reply for each recipient.

LMTP (RFC 2033) is SMTP for the last hop; mektup has no queue. After the data there is one reply for each recipient, and
a 250 says that the message is on disk for this one. Replies leave in the order of the commands (RFC 2920 §3.2), so a
client may pipeline. Return-Path and Received, made from the envelope, begin each message (RFC 5321 §4.4), unless the
operator turned them off. The rest of a message stays as it came.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from mektup.auth.services import Services
from mektup.delivery.address import Address
from mektup.delivery.deliver import Copies, Reception, require_size
from mektup.delivery.recipients import Recipient, resolve
from mektup.delivery.trace import Trace
from mektup.lmtp.commands import (
    BAD_SEQUENCE,
    Command,
    CommandError,
    Data,
    Help,
    Lhlo,
    Mail,
    Noop,
    Quit,
    Rcpt,
    Rset,
    Vrfy,
    parse,
)
from mektup.lmtp.data import Unstuffer
from mektup.store.arrival import Arrival
from mektup.terms.errors import ClientError, Code, Disconnected, Refused, TimedOut
from mektup.terms.lines import LineBuffer
from mektup.terms.peer import Peer

NO_CODE = "550 5.0.0"
"""The reply code of a refusal without a code."""


@dataclass(slots=True)
class Transaction:
    """A mail transaction: from MAIL to the end of the data."""

    sender: Address | None
    utf8: bool
    recipients: list[Recipient] = field(default_factory=list)


class LmtpSession:
    """One client, from greeting to QUIT."""

    def __init__(self, peer: Peer, services: Services) -> None:
        self._peer = peer
        self._services = services
        self._lines = LineBuffer(services.limits.login_line_bytes)
        self._client = b""
        """The client's name from LHLO; empty before."""
        self._transaction: Transaction | None = None
        self._owed = 0
        """Replies that the current command still owes: one (RFC 5321 §4.2), or after the data one per recipient."""
        self._bad_commands = 0
        self._ending = False

    async def run(self) -> None:
        """Serves the peer until either side ends the session; raises only at a bug outside of any command."""
        self._write(f"220 {self._services.hostname} LMTP mektup ready, session {self._services.session_id}")
        try:
            while not self._ending:
                await self._serve()
            await self._peer.drain()
        except Disconnected:
            pass
        except TimedOut as silence:
            await self._leave(str(silence))

    async def _serve(self) -> None:
        self._owed = 1
        try:
            line = self._lines.next_line()
        except ClientError as mistake:
            self._complain(mistake)
            return
        if self._peer.dismissal is not None:
            raise TimedOut("Shutting down")
        if line is not None:
            await self._obey(line)
            # the client may pipeline many commands, and read no answers
            if self._peer.is_due:
                await self._peer.drain()
        elif await self._peer.wait(None, self._services.limits.idle_seconds):
            self._lines.feed(await self._peer.read(self._services.limits.idle_seconds))
        else:
            raise TimedOut("Shutting down" if self._peer.stopping else "Idle for too long")

    async def _leave(self, text: str) -> None:
        # RFC 5321 §3.8: 421 may come at any time
        self._write(f"421 4.4.2 {self._services.hostname} {text}")
        try:
            await self._peer.drain()
        except Disconnected:
            pass

    async def _obey(self, line: bytes) -> None:
        self._services.tally.commands += 1
        began = time.monotonic()
        name = ""
        try:
            command = parse(line)
            name = type(command).__name__.upper()
            if isinstance(command, Rcpt):
                await self._add(command)
            elif isinstance(command, Data):
                await self._receive()
            else:
                self._run(command)
        except ClientError as mistake:
            self._complain(mistake)
        except Refused as refusal:
            self._answer_rest(_refusal(refusal))
        except (Disconnected, TimedOut):
            raise
        except Exception:
            # the boundary: a bug is answered, logged with its traceback, and the session goes on
            self._services.tally.bugs += 1
            self._services.log.exception("command_failed", verb=line[:4])
            self._answer_rest(f"{Code.SERVERBUG.lmtp} Internal error, session {self._services.session_id}")
        finally:
            if name:
                self._services.tally.durations.add(name, time.monotonic() - began)

    def _complain(self, mistake: ClientError) -> None:
        status = mistake.status if isinstance(mistake, CommandError) else "500 5.5.2"
        self._answer_rest(f"{status} {mistake}")
        self._bad_commands += 1
        if self._bad_commands >= self._services.limits.bad_commands:
            self._write(f"421 4.7.0 {self._services.hostname} Too many commands that are no LMTP")
            self._ending = True

    def _run(self, command: Command) -> None:
        match command:
            case Lhlo():
                self._greet(command)
            case Mail():
                self._begin(command)
            case Rset():
                self._transaction = None
                self._answer("250 2.0.0 Forgotten")
            case Vrfy():
                # RFC 5321 §7.3, §3.5.3: does not reveal who has an account, and does not claim by a 250 that it looked
                self._answer("252 2.1.5 Send some mail, and it will be seen")
            case Help():
                self._answer("214 2.0.0 LHLO MAIL RCPT DATA RSET NOOP VRFY HELP QUIT: see RFC 2033")
            case Noop():
                self._answer("250 2.0.0 Here")
            case Quit():
                self._answer(f"221 2.0.0 {self._services.hostname} Goodbye")
                self._ending = True

    def _greet(self, command: Lhlo) -> None:
        # RFC 5321 §4.1.4: a greeting in the middle of a transaction ends it, as RSET does
        self._client = command.domain
        self._transaction = None
        # RFC 5321 §2.2.2, §4.2.1: only registered extensions, and the same code on each line
        extensions = ("PIPELINING", "8BITMIME", "SMTPUTF8", f"SIZE {self._services.limits.message_bytes}")
        for extension in (self._services.hostname, *extensions):
            self._write(f"250-{extension}")
        self._answer("250 ENHANCEDSTATUSCODES")

    def _begin(self, command: Mail) -> None:
        if not self._client:
            raise CommandError("Say LHLO first", status=BAD_SEQUENCE)
        if self._transaction is not None:
            raise CommandError("A transaction is under way: DATA or RSET come first", status=BAD_SEQUENCE)
        require_size(command.size or 0, self._services.limits)
        self._transaction = Transaction(command.sender, command.utf8)
        self._answer("250 2.1.0 Sender accepted")

    async def _add(self, command: Rcpt) -> None:
        if self._transaction is None:
            raise CommandError("MAIL comes before RCPT", status=BAD_SEQUENCE)
        recipients = self._transaction.recipients
        if len(recipients) >= self._services.limits.lmtp_recipients:
            # RFC 5321 §4.5.3.1.10: the client sends to these recipients, and to the others in a new transaction
            self._answer("452 4.5.3 Too many recipients for one message")
            return
        recipients.append(await resolve(command.recipient, self._services.store.directory))
        self._answer("250 2.1.5 Recipient accepted")

    async def _receive(self) -> None:
        transaction = self._transaction
        # RFC 2033 §4.2: where no RCPT was accepted, DATA must fail
        if transaction is None or not transaction.recipients:
            raise CommandError("MAIL and RCPT come before DATA", status=BAD_SEQUENCE)
        self._write("354 Go ahead, CRLF.CRLF ends it")
        self._owed = len(transaction.recipients)
        self._transaction = None
        services = self._services
        trace = self._trace(transaction) if services.delivery.trace else b""
        with Reception(
            services.limits, trace=trace, directory=services.spool_directory, faults=services.faults
        ) as reception:
            self._peer.uploading = True
            try:
                await self._fill(reception)
            finally:
                self._peer.uploading = False
            await self._deliver(await reception.arrival(), transaction.recipients)

    def _trace(self, transaction: Transaction) -> bytes:
        # One text for all recipients, so that all accounts get the same message.
        return Trace(
            sender=transaction.sender,
            client=self._client,
            address=self._peer.address,
            hostname=self._services.hostname,
            session_id=self._services.session_id,
            utf8=transaction.utf8,
            recipients=tuple(recipient.address for recipient in transaction.recipients),
            at=int(time.time()),
        ).fields()

    async def _fill(self, reception: Reception) -> None:
        unstuffer = Unstuffer()
        came = self._lines.take_all()
        after = None
        while after is None:
            octets, after = unstuffer.take(came or await self._peer.read(self._services.limits.idle_seconds))
            came = b""
            reception.write(octets)
        self._lines.feed(after)

    async def _deliver(self, arrival: Arrival, recipients: list[Recipient]) -> None:
        """Delivers to each recipient, in order, with one reply each (RFC 2033 §4.2). Logs one line for each copy.

        A copy is on disk before its 250 (RFC 5321 §2.1, §6.1); a refused one is not tried again (RFC 5321 §4.2.5).
        """
        copies = Copies(arrival, self._services.store, self._services.delivery)
        try:
            for recipient in recipients:
                try:
                    if await copies.deliver(recipient):
                        self._services.tally.messages += 1
                    self._answer(f"250 2.0.0 <{recipient.address}> Saved")
                except Refused as refusal:
                    self._answer(_refusal(refusal))
                await self._peer.drain()
        finally:
            # after the replies: the client need not wait for the log
            for ones in copies.made.values():
                addresses = " ".join([str(each.address) for each in ones])
                self._services.log.info("delivered", user=ones[0].entry.name, octets=arrival.size, recipients=addresses)

    def _answer(self, reply: str) -> None:
        self._write(reply)
        self._owed -= 1

    def _answer_rest(self, reply: str) -> None:
        while self._owed > 0:
            self._answer(reply)

    def _write(self, reply: str) -> None:
        self._peer.write(reply.encode("utf-8", "replace") + b"\r\n")


def _refusal(refusal: Refused) -> str:
    return f"{refusal.code.lmtp if refusal.code is not None else NO_CODE} {refusal}"
