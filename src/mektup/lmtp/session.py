"""An LMTP session: takes in messages, with a reply for each recipient.

LMTP (RFC 2033) is SMTP for the last hop; mektup has no queue. After the data there is one reply for each recipient, and
a 250 says that the message is on disk for this one. Replies leave in the order of the commands (RFC 2920 §3.2), so a
client may pipeline. Return-Path and Received, made from the envelope, begin each message (RFC 5321 §4.4), unless the
operator turned them off. The rest of a message stays as it came.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from itertools import chain

from mektup.delivery.address import Address
from mektup.delivery.deliver import Copies, Copy, Reception, require_size
from mektup.delivery.recipients import Recipient, resolve
from mektup.delivery.trace import Trace
from mektup.lmtp import masking, texts
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
from mektup.session.delivery_log import NULL_SENDER, DeliveryLog
from mektup.session.life import Ending
from mektup.session.line_session import LineSession
from mektup.session.services import Services
from mektup.session.tap import CONTENT_BYTES, Tap, Taps
from mektup.session.texts import GOODBYE, READY
from mektup.store.arrival import Arrival
from mektup.terms.errors import ClientError, Code, Refused, TimedOut
from mektup.terms.peer import Peer
from mektup.terms.texts import Text

SHOWN_BYTES = 100
"""At most so much of the client's name is kept for people who look after the server."""

NO_CODE = "550 5.0.0"
"""The reply code of a refusal without a code."""


@dataclass(slots=True)
class Transaction:
    """A mail transaction: from MAIL to the end of the data."""

    sender: Address | None
    utf8: bool
    size: int | None
    """The octets that the client announced."""
    recipients: list[tuple[Recipient, ...]] = field(default_factory=list)
    """For each accepted RCPT its accounts; an alias may have several."""

    @property
    def copies(self) -> int:
        """How many accounts get the message."""
        return sum(map(len, self.recipients))


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

    def tell(self, tap: Tap, line: bytes) -> None:
        """See ``LineSession``."""
        masking.tell_command(tap, line)

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
                self._end_transaction()
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
        self.identity = command.domain[:SHOWN_BYTES].decode("utf-8", "backslashreplace")
        self._end_transaction()
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
        self._end_transaction()  # of a message that failed
        transaction = Transaction(command.sender, command.utf8, command.size)
        try:
            require_size(command.size or 0, self.services.limits)
        except Refused as refusal:
            self._log_of(transaction, octets=command.size).refused(refusal)
            raise
        self._transaction = transaction
        self._reply("250 2.1.0", texts.SENDER_ACCEPTED)

    async def _add(self, command: Rcpt) -> None:
        if self._transaction is None:
            raise CommandError(texts.MAIL_FIRST, status=BAD_SEQUENCE)
        most = self.services.limits.lmtp_recipients
        if self._transaction.copies >= most:
            self._refuse_more()
            return
        try:
            recipients = await resolve(command.recipient, self.services.store)
            for recipient in recipients:
                # so that a full account costs no transfer of the message; the append decides
                account = await self.services.store.account(recipient.entry)
                await account.quota.require_room(self._transaction.size or 1)
        except Refused as refusal:
            self._log_of(self._transaction).refused(refusal, recipient=str(command.recipient))
            raise
        if self._transaction.recipients and self._transaction.copies + len(recipients) > most:
            self._refuse_more()
            return
        self._transaction.recipients.append(recipients)
        if self.services.taps is not None:
            for recipient in recipients:
                self._let_follow(self.services.taps, recipient)
        self._reply("250 2.1.5", texts.RECIPIENT_ACCEPTED)

    def _refuse_more(self) -> None:
        # RFC 5321 §4.5.3.1.10: the client sends to these recipients, and to the others in a new transaction
        self.services.tally.refusals[Code.LIMIT] += 1
        self._reply("452 4.5.3", texts.TOO_MANY_RECIPIENTS)

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
            services.limits,
            trace=trace,
            directory=services.spool_directory,
            faults=services.faults,
            budget=services.spool_memory,
        ) as reception:
            self.peer.uploading = True
            try:
                await self._fill(reception)
            finally:
                self.peer.uploading = False
            came_at = time.monotonic()
            try:
                arrival = await reception.arrival()
            except Refused as refusal:
                log = self._log_of(transaction)
                for each in chain.from_iterable(transaction.recipients):
                    log.refused(refusal, recipient=str(each.address), user=each.entry.name)
                raise
            if self.tap is not None:
                self._show(self.tap, arrival, len(trace))
            await self._deliver(arrival, transaction, came_at)
        self._end_transaction()

    def _let_follow(self, taps: Taps, recipient: Recipient) -> None:
        """Lets those who follow the account of *recipient* follow this session, from the RCPT on."""
        was_followed = self.tap is not None
        taps.receives(self.peer, recipient.entry.name)
        if self.tap is not None and not was_followed:
            self.tap.command(f"RCPT TO:<{recipient.address}>".encode())

    def _show(self, tap: Tap, arrival: Arrival, begins: int) -> None:
        """Tells *tap* of the message, which begins after *begins* octets that we have added."""
        shown = arrival.raw[begins : begins + CONTENT_BYTES] if tap.wants_content else None
        tap.content(arrival.size - begins, shown)

    def _end_transaction(self) -> None:
        self._transaction = None
        if self.services.taps is not None:
            self.services.taps.received(self.peer)

    def _trace(self, transaction: Transaction) -> bytes:
        # One text for all recipients, so that all accounts get the same message.
        return Trace(
            sender=transaction.sender,
            client=self._client,
            address=self.peer.address,
            hostname=self.services.hostname,
            session_id=self.services.session_id,
            utf8=transaction.utf8,
            recipients=tuple(recipients[0].address for recipients in transaction.recipients),
            at=int(time.time()),
        ).fields()

    async def _fill(self, reception: Reception) -> None:
        unstuffer = Unstuffer()
        came = self.lines.take_all()
        after = None
        began = time.monotonic()
        while after is None:
            octets, after = unstuffer.take(came or await self.peer.read(self.services.limits.idle_seconds))
            came = b""
            reception.write(octets)
        self.peer.waited += time.monotonic() - began
        self.lines.feed(after)

    async def _deliver(self, arrival: Arrival, transaction: Transaction, came_at: float) -> None:
        """Delivers to each recipient, in order, with one reply each (RFC 2033 §4.2), and logs what happened to each.

        A copy is on disk before its 250 (RFC 5321 §2.1, §6.1); a refused one is not tried again (RFC 5321 §4.2.5).
        For an alias, the one reply is that of the account with the worst luck (``worst_of``).
        """
        copies = Copies(arrival, self.services.store, self.services.delivery)
        log = self._log_of(transaction, message_id=arrival.message_id, octets=arrival.size)
        done: list[tuple[Recipient, Copy, float]] = []
        try:
            for recipients in transaction.recipients:
                refusals: list[Refused] = []
                for recipient in recipients:
                    try:
                        copy = await copies.deliver(recipient)
                        if len(copy.recipients) == 1:
                            self.services.tally.stored(arrival.size)
                        done.append((recipient, copy, time.monotonic() - came_at))
                    except Refused as refusal:
                        self.note_refusal(refusal)
                        log.refused(refusal, recipient=str(recipient.address), user=recipient.entry.name)
                        refusals.append(refusal)
                if worst := worst_of(refusals, len(recipients)):
                    self._answer(self._refusal(worst))
                else:
                    self._reply(f"250 2.0.0 <{recipients[0].address}>", texts.SAVED)
                await self.peer.drain()
        finally:
            # after the replies: the client need not wait for the log
            for recipient, copy, seconds in done:
                log.delivered(
                    recipient=str(recipient.address),
                    user=recipient.entry.name,
                    mailbox=copy.mailbox,
                    uid=copy.uid,
                    seconds=seconds,
                )

    def _log_of(self, transaction: Transaction, message_id: str = "", octets: int | None = None) -> DeliveryLog:
        sender = NULL_SENDER if transaction.sender is None else str(transaction.sender)
        log = self.services.log if self.services.log_rules.deliveries else None
        return DeliveryLog(log, sender, message_id, octets)

    def _reply(self, status: str, text: Text) -> None:
        self._answer(f"{status} {self.in_words(text)}")

    def _refusal(self, refusal: Refused) -> str:
        return f"{_status(refusal)} {self.in_words(refusal.text)}"

    def _answer(self, reply: str) -> None:
        self._write(reply)
        self._owed -= 1

    def _answer_rest(self, reply: str) -> None:
        while self._owed > 0:
            self._answer(reply)

    def _write(self, reply: str) -> None:
        self.peer.write(reply.encode("utf-8", "replace") + b"\r\n")


def _status(refusal: Refused) -> str:
    return refusal.code.lmtp if refusal.code is not None else NO_CODE


def worst_of(refusals: Sequence[Refused], accounts: int) -> Refused | None:
    """The refusal to answer for an address with so many *accounts*; None for 250.

    After a temporary one the client sends again: an account may get the message twice, but none loses it. A permanent
    one is told if nobody has got the message; otherwise a bounce would say that it did not arrive.
    """
    temporary = [refusal for refusal in refusals if _status(refusal).startswith("4")]
    if temporary:
        return temporary[0]
    return refusals[0] if len(refusals) == accounts else None
