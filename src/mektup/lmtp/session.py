"""An LMTP session: takes in messages, with a reply for each recipient.

LMTP (RFC 2033) is SMTP for the last hop; mektup has no queue. After the data there is one reply for each recipient, and
a 250 says that the message is on disk for this one. Replies leave in the order of the commands (RFC 2920 §3.2), so a
client may pipeline. Return-Path and Received, made from the envelope, begin each message (RFC 5321 §4.4), unless the
operator turned them off. The rest of a message stays as it came.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable
from dataclasses import dataclass, field

from mektup.delivery.address import Address
from mektup.delivery.deliver import Copies, Reception, require_size
from mektup.delivery.recipients import Recipient, resolve
from mektup.delivery.trace import Trace
from mektup.lmtp import texts
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
from mektup.session.life import Ending
from mektup.session.line_session import LineSession
from mektup.session.services import Services
from mektup.session.texts import GOODBYE, READY
from mektup.store.arrival import Arrival
from mektup.terms.errors import ClientError, Refused, TimedOut
from mektup.terms.peer import Peer
from mektup.terms.texts import Text

NO_CODE = "550 5.0.0"
"""The reply code of a refusal without a code."""


@dataclass(slots=True)
class Transaction:
    """A mail transaction: from MAIL to the end of the data."""

    sender: Address | None
    utf8: bool
    recipients: list[Recipient] = field(default_factory=list)


class LmtpSession(LineSession):
    """One client, from greeting to QUIT."""

    __slots__ = ("_client", "_owed", "_transaction")

    protocol = "LMTP"
    logs_in = False

    def __init__(self, peer: Peer, services: Services) -> None:
        super().__init__(peer, services)
        self._client = b""
        """The client's name from LHLO; empty before."""
        self._transaction: Transaction | None = None
        self._owed = 0
        """Replies that the current command still owes: one (RFC 5321 §4.2), or after the data one per recipient."""

    # See ``LineSession`` and ``Life``

    def greet(self) -> None:
        """RFC 5321 §4.2, with the reply code 220."""
        ready = self.in_words(READY.of(session=self.services.session_id))
        self._write(f"220 {self.services.hostname} LMTP {ready}")

    def command(self, line: bytes) -> tuple[str, Awaitable[None]]:
        """See ``LineSession``."""
        self._owed = 1
        command = parse(line)
        return type(command).__name__.upper(), self._run(command)

    def complain(self, mistake: ClientError) -> None:
        """See ``LineSession``."""
        # a line that is too long is no command, but is answered like one
        self._owed = self._owed or 1
        status = mistake.status if isinstance(mistake, CommandError) else "500 5.5.2"
        self._answer_rest(f"{status} {self.in_words(mistake.whole)}")

    def refuse(self, refusal: Refused) -> None:
        """See ``LineSession``."""
        self._answer_rest(self._refusal(refusal))

    def throw_out(self, text: Text) -> None:
        """See ``Life``."""
        self._write(f"421 4.7.0 {self.services.hostname} {self.in_words(text)}")
        self.ending = Ending.THROWN_OUT

    def take_leave(self, silence: TimedOut) -> None:
        """RFC 5321 §3.8: 421 may come at any time."""
        text = silence.text if self.peer.dismissal is None else texts.SHUTTING_DOWN
        self._write(f"421 4.4.2 {self.services.hostname} {self.in_words(text)}")

    # Commands

    async def _run(self, command: Command) -> None:
        match command:
            case Rcpt():
                await self._add(command)
            case Data():
                await self._receive()
            case Lhlo():
                self._greet(command)
            case Mail():
                self._begin(command)
            case Rset():
                self._transaction = None
                self._reply("250 2.0.0", texts.RESET)
            case Vrfy():
                # RFC 5321 §7.3, §3.5.3: does not reveal who has an account, and does not claim by a 250 that it looked
                self._reply("252 2.1.5", texts.VERIFY)
            case Help():
                self._reply("214 2.0.0", texts.HELP)
            case Noop():
                self._reply("250 2.0.0", texts.DONE)
            case Quit():
                self._reply(f"221 2.0.0 {self.services.hostname}", GOODBYE)
                self.ending = Ending.LOGOUT

    def _greet(self, command: Lhlo) -> None:
        # RFC 5321 §4.1.4: a greeting in the middle of a transaction ends it, as RSET does
        self._client = command.domain
        self._transaction = None
        # RFC 5321 §2.2.2, §4.2.1: only registered extensions, and the same code on each line
        extensions = ("PIPELINING", "8BITMIME", "SMTPUTF8", f"SIZE {self.services.limits.message_bytes}")
        for extension in (self.services.hostname, *extensions):
            self._write(f"250-{extension}")
        self._answer("250 ENHANCEDSTATUSCODES")

    def _begin(self, command: Mail) -> None:
        if not self._client:
            raise CommandError(texts.LHLO_FIRST, status=BAD_SEQUENCE)
        if self._transaction is not None:
            raise CommandError(texts.TRANSACTION_HAS_BEGUN, status=BAD_SEQUENCE)
        require_size(command.size or 0, self.services.limits)
        self._transaction = Transaction(command.sender, command.utf8)
        self._reply("250 2.1.0", texts.SENDER_ACCEPTED)

    async def _add(self, command: Rcpt) -> None:
        if self._transaction is None:
            raise CommandError(texts.MAIL_FIRST, status=BAD_SEQUENCE)
        recipients = self._transaction.recipients
        if len(recipients) >= self.services.limits.lmtp_recipients:
            # RFC 5321 §4.5.3.1.10: the client sends to these recipients, and to the others in a new transaction
            self._reply("452 4.5.3", texts.TOO_MANY_RECIPIENTS)
            return
        recipients.append(await resolve(command.recipient, self.services.store.directory))
        self._reply("250 2.1.5", texts.RECIPIENT_ACCEPTED)

    async def _receive(self) -> None:
        transaction = self._transaction
        # RFC 2033 §4.2: where no RCPT was accepted, DATA must fail
        if transaction is None or not transaction.recipients:
            raise CommandError(texts.RCPT_FIRST, status=BAD_SEQUENCE)
        self._write(f"354 {self.in_words(texts.SEND_THE_MESSAGE)}")
        self._owed = len(transaction.recipients)
        self._transaction = None
        services = self.services
        trace = self._trace(transaction) if services.delivery.trace else b""
        with Reception(
            services.limits, trace=trace, directory=services.spool_directory, faults=services.faults
        ) as reception:
            self.peer.uploading = True
            try:
                await self._fill(reception)
            finally:
                self.peer.uploading = False
            await self._deliver(await reception.arrival(), transaction.recipients)

    def _trace(self, transaction: Transaction) -> bytes:
        # One text for all recipients, so that all accounts get the same message.
        return Trace(
            sender=transaction.sender,
            client=self._client,
            address=self.peer.address,
            hostname=self.services.hostname,
            session_id=self.services.session_id,
            utf8=transaction.utf8,
            recipients=tuple(recipient.address for recipient in transaction.recipients),
            at=int(time.time()),
        ).fields()

    async def _fill(self, reception: Reception) -> None:
        unstuffer = Unstuffer()
        came = self.lines.take_all()
        after = None
        while after is None:
            octets, after = unstuffer.take(came or await self.peer.read(self.services.limits.idle_seconds))
            came = b""
            reception.write(octets)
        self.lines.feed(after)

    async def _deliver(self, arrival: Arrival, recipients: list[Recipient]) -> None:
        """Delivers to each recipient, in order, with one reply each (RFC 2033 §4.2). Logs one line for each copy.

        A copy is on disk before its 250 (RFC 5321 §2.1, §6.1); a refused one is not tried again (RFC 5321 §4.2.5).
        """
        copies = Copies(arrival, self.services.store, self.services.delivery)
        try:
            for recipient in recipients:
                try:
                    if await copies.deliver(recipient):
                        self.services.tally.messages += 1
                    self._reply(f"250 2.0.0 <{recipient.address}>", texts.SAVED)
                except Refused as refusal:
                    self.note_refusal(refusal)
                    self._answer(self._refusal(refusal))
                await self.peer.drain()
        finally:
            # after the replies: the client need not wait for the log
            for ones in copies.made.values():
                addresses = " ".join([str(each.address) for each in ones])
                self.services.log.info("delivered", user=ones[0].entry.name, octets=arrival.size, recipients=addresses)

    def _reply(self, status: str, text: Text) -> None:
        self._answer(f"{status} {self.in_words(text)}")

    def _refusal(self, refusal: Refused) -> str:
        status = refusal.code.lmtp if refusal.code is not None else NO_CODE
        return f"{status} {self.in_words(refusal.text)}"

    def _answer(self, reply: str) -> None:
        self._write(reply)
        self._owed -= 1

    def _answer_rest(self, reply: str) -> None:
        while self._owed > 0:
            self._answer(reply)

    def _write(self, reply: str) -> None:
        self.peer.write(reply.encode("utf-8", "replace") + b"\r\n")
