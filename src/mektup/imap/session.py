"""An IMAP session: the life of one connection, from greeting to BYE.

Five rules that must never be broken:

1. One command at a time, in the order received; its tagged answer is its last output.
2. Only ``updates.tell`` tells what changed in the selected mailbox, before the tagged answer.
3. Only ``_fail`` turns an error into an answer; whatever happens inside a command, the session goes on.
4. A session waits only for its peer, for a bounded time; it holds no lock of the store while it waits.
5. Everything that the server holds for a client has a limit.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterator
from functools import partial
from time import monotonic
from typing import TypeVar

from mektup.imap import answers, hiding, masking, texts
from mektup.imap.answers import Answer
from mektup.imap.capabilities import capabilities
from mektup.imap.client import NEW, Client
from mektup.imap.fetch.flag_words import FlagWords
from mektup.imap.shown import shown
from mektup.imap.sync import modseqs, news, updates, waiting
from mektup.imap.sync.notifications import Notifications
from mektup.imap.sync.view import View
from mektup.imap.table import TABLE, CommandRow, SessionState, Tells, require_uids
from mektup.imap.uploads import Uploads
from mektup.session.life import IDLE, SELECTED, Ending, Life
from mektup.session.services import Services
from mektup.session.texts import READY
from mektup.store.interface import Account, AccountEntry
from mektup.store.spool import Spool
from mektup.terms.durations import QUICK, SECONDS, UNTIMED
from mektup.terms.errors import ClientError, Code, Disconnected, Refused, TimedOut
from mektup.terms.peer import Peer
from mektup.terms.texts import ENGLISH, Text
from mektup.wire import codes, commands
from mektup.wire.grammar import SETMETADATA
from mektup.wire.receiver import CommandFault, LiteralOffered, RawCommand, Receiver
from mektup.wire.requests import Request, names_seqs

T = TypeVar("T")

LOOKS = Tells.LOOKS
"""By its own name, because every command asks for it."""


class ImapSession(Life):
    """One client, from greeting to BYE: a ``Conversation`` for its commands."""

    __slots__ = (
        "_durations",
        "_flag_words",
        "_has_spools",
        "_is_special",
        "_progress_told",
        "_tag",
        "account",
        "client",
        "hidden",
        "idling",
        "notifications",
        "receiver",
        "state",
        "uploads",
        "view",
    )

    protocol = "IMAP"

    def __init__(self, peer: Peer, services: Services) -> None:
        super().__init__(peer, services)
        self.receiver = Receiver(services.limits)
        self.state = SessionState.NOT_AUTHENTICATED
        self.account: Account | None = None
        self.view: View | None = None
        self.client = NEW
        self.hidden = hiding.with_consequences(services.hidden)
        self._is_special = bool(self.hidden)
        self.uploads = Uploads()
        self._has_spools = False
        """Whether ``uploads`` has spools that no literal of the client filled."""
        self.idling = False
        self.notifications: Notifications | None = None
        self._flag_words: FlagWords | None = None
        self._tag: bytes | None = None
        """The tag of the current command, until it is answered."""
        self._progress_told = 0.0
        """When INPROGRESS was last told."""
        self._durations = services.tally.durations
        self._clock = monotonic()
        """When the current command began. Set as octets arrive and as a command ends."""

    # The life of the session

    async def run(self) -> None:
        """Serves the peer until either side ends the session; raises only at a bug outside of any command."""
        self.write(answers.untagged_ok(codes.capability(capabilities(self)), self._greeting(), self.translation))
        receiver, peer = self.receiver, self.peer
        try:
            while self.ending is None:
                event = receiver.next_event()
                if event is None:
                    if self.notifications is not None:
                        await self._notify_until_heard()
                        if self.ending is not None:
                            break
                    receiver.feed(await peer.read(self.patience()))
                    self._clock = monotonic()
                elif peer.dismissal is not None and _begins(event):
                    raise TimedOut(peer.dismissal)
                elif isinstance(event, RawCommand):
                    await self._obey(event)
                    # the client may pipeline many commands, and read no answers
                    if peer.is_due_at(self._clock):
                        await peer.drain()
                        peer.waited = 0.0
                        self._clock = monotonic()
                elif isinstance(event, LiteralOffered):
                    await self._consider(event)
                    # a client that does not wait can have sent a thousand of them
                    if len(event.command.fragments) > 1:
                        await self.give_way()
                else:
                    self._complain(event)
            await self.peer.drain()
        except (Disconnected, TimedOut) as cause:
            await self.part(cause)
        finally:
            self.unselect()
            self.notify(None)
            self.uploads.close()
            self.release()

    async def _notify_until_heard(self) -> None:
        """Tells what changes while no command is in progress, as the client asked for by NOTIFY."""
        if self.receiver.has_begun or self.peer.has_unread:
            return
        try:
            await waiting.until_heard(self, in_idle=False, ends=monotonic() + self.services.limits.idle_seconds)
        except (Disconnected, TimedOut):
            raise
        except Exception as failure:
            # a boundary: the client can still send commands, and what changed is told later
            self.note_bug(failure, tag=b"*")

    def _greeting(self) -> Text:
        return READY.of(session=self.services.session_id)

    # One command

    async def _obey(self, command: RawCommand) -> None:
        self.commands += 1
        if self.tap is not None:
            masking.tell_command(self.tap, command, self.services.limits)
        request: Request | None = None
        if command.literals:
            self.peer.uploading = False
            request = self.uploads.request(command)
        try:
            if request is None:
                request = commands.parse(command, utf8=self.client.utf8, limits=self.services.limits)
            row = TABLE[type(request)]
            if self._is_special and hiding.is_unknown(row.name, request, self.hidden):
                raise commands.unknown_command(request.tag)
            if self.state not in row.states:
                raise row.mistake(self.state)
            if self._is_special and self.client.uidonly:
                require_uids(request)
            await self._run(row, request, command)
        except (Disconnected, TimedOut):
            raise
        except Exception as failure:
            # the boundary: a failure in a command does not end the session
            self._fail(command, failure)
        finally:
            self._tag = None
            if command.literals or self._has_spools:
                self._has_spools = False
                self.uploads.close()

    def _fail(self, command: RawCommand, failure: Exception) -> None:
        """Answers *command* with the error."""
        tag = self._tag or commands.tag_of(command)
        match failure:
            case ClientError():
                self.write(answers.bad(tag, failure, self.translation))
                self.count_bad_command(command.fragments[0])
            case Refused():
                self.note_refusal(failure)
                self._forget_saved(command)
                self.write(answers.no(tag, failure, self.translation))
            case _:
                self.note_bug(failure, tag=tag)
                self.write(answers.server_bug(tag, self.services.session_id, self.translation))

    async def _run(self, row: CommandRow, request: Request, command: RawCommand) -> None:
        self._tag = request.tag
        self.last_command = row.name
        try:
            if self._is_special and self.view is not None and not self.view.is_own:
                await self._follow_rights()
            try:
                answer = await row.run(self, request)
            except Refused:
                await self._tell(row.tells, request)
                modseqs.tell_due(self)
                raise
            view = self.view
            if view is not None and (row.tells is LOOKS or view.watch.fired or view.has_untold_expunges):
                await self._tell(row.tells, request)
            if self._is_special and self.notifications is not None and row.tells is LOOKS:
                await news.tell(self)
        finally:
            began, self._clock = self._clock, monotonic()
            seconds = self._clock - began
            if seconds <= QUICK:
                # most commands; a call would cost as much as the rest
                counts = self._durations[row.name]
                counts[0] += 1
                counts[SECONDS] += seconds
            else:
                self.count_duration(row.name, seconds, command.fragments[0])
        self._say_ok(row, answer)

    def _note_special(self) -> None:
        """Notes whether commands need more than the usual steps, as most sessions never do. One test is quicker."""
        self._is_special = (
            bool(self.hidden)
            or self.client.uidonly
            or self.notifications is not None
            or (self.view is not None and not self.view.is_own)
        )

    async def _follow_rights(self) -> None:
        """Ends the session if it may not read its selected mailbox any more, which is another user's."""
        try:
            await updates.follow_rights(self)
        except Refused as refusal:
            if refusal.code is Code.NONEXISTENT:
                self.unselect()
                self.throw_out(texts.MAILBOX_DELETED)
            raise

    def _say_ok(self, row: CommandRow, answer: Answer | None) -> None:
        """Writes the tagged OK, unless the command did it; None stands for the usual OK."""
        tag = self._tag
        if tag is None:
            return
        if self.client.condstore:
            answer = modseqs.in_answer(self, answer, row.usual)
        if answer is None and self.translation is ENGLISH:
            self.peer.write(row.done % tag)
        else:
            self.peer.write(answers.ok(tag, answer or Answer(b"", row.usual), self.translation))

    def answer(self, answer: Answer) -> None:
        """See ``Conversation``."""
        assert self._tag is not None
        self.write(answers.ok(self._tag, answer, self.translation))
        self._tag = None

    async def _tell(self, tells: Tells, request: Request) -> None:
        """Tells what changed. Never fails, as the command is done already; what cannot be told now is told later."""
        view = self.view
        if view is None or tells is Tells.NOTHING:
            return
        try:
            if tells is LOOKS:
                await updates.look(self)
            if view.watch.fired or view.has_untold_expunges:
                by_uid = getattr(request, "by_uid", False)
                await updates.tell(
                    self,
                    expunges=self._may_tell_expunges(tells, request),
                    with_uid=by_uid,
                    own_expunges=tells is Tells.OWN_EXPUNGES,
                )
        except (Disconnected, TimedOut):
            raise
        except Refused as refusal:
            if refusal.code is Code.NONEXISTENT:
                # IMAP cannot tell a client that its mailbox is gone, so the session ends
                self.throw_out(texts.MAILBOX_DELETED)
            else:
                view.watch.fire()
        except Exception as failure:
            # a boundary, too: the command itself succeeded
            view.watch.fire()
            self.note_bug(failure, tag=request.tag)

    def _may_tell_expunges(self, tells: Tells, request: Request) -> bool:
        if tells is Tells.OWN_EXPUNGES:
            return True
        if self.client.uidonly:
            # nobody counts messages, so VANISHED may come at any time
            return True
        if tells is Tells.UID_EXPUNGES and names_seqs(request):
            return False
        return not self.expects_numbers

    def _forget_saved(self, command: RawCommand) -> None:
        # RFC 9051 §6.4.4.1: a SEARCH with SAVE that is answered NO leaves $ empty
        if self.view is not None and b"SAVE" in command.fragments[0].upper():
            self.view.saved = self.view.saved - self.view.saved

    async def _consider(self, offer: LiteralOffered) -> None:
        """Decides whether the client may send a literal, and answers it."""
        if self.tap is not None:
            masking.tell_offer(self.tap, offer, self.services.limits)
        try:
            limits = self.services.limits
            start = commands.parse_append_start(
                offer.command, utf8=self.client.utf8, limits=limits, before=self.uploads.start
            )
            if start is None or not start.is_message:
                if offer.binary and not SETMETADATA.match(offer.command.fragments[0]):
                    # RFC 9051 §4.3.1, §9: only APPEND takes a literal8, and the values of SETMETADATA (RFC 5464 §5)
                    raise ClientError(texts.NO_LITERAL8)
                if start is not None:
                    if offer.size > limits.literal_bytes:
                        raise ClientError(texts.URL_TOO_LONG.of(octets=limits.literal_bytes))
                    self.uploads.note(start)
                self.receiver.accept()
            else:
                self.receiver.accept_into(await self.uploads.admit(self, start, offer))
            self.peer.uploading = True
            if offer.synchronizing:
                self.write(answers.continuation(texts.GO_AHEAD, self.translation))
        except (Disconnected, TimedOut):
            raise
        except Exception as failure:
            # a boundary, too: a literal is offered before the command is complete
            self.receiver.refuse()
            self.peer.uploading = False
            self.uploads.close()
            self._fail(offer.command, failure)

    def _complain(self, fault: CommandFault) -> None:
        if self.tap is not None:
            self.tap.hidden(None)
        if fault.code is None:
            self.write(answers.bad(fault.tag, ClientError(fault.text, fault.column), self.translation))
        else:
            most = self.services.limits.metadata_value_bytes
            argument = str(most) if fault.code is Code.METADATA_MAXSIZE else ""
            refusal = Refused(fault.code, fault.text, argument=argument)
            self.note_refusal(refusal)
            self.write(answers.no(fault.tag, refusal, self.translation))
        self.peer.uploading = False
        self.uploads.close()
        if fault.fatal:
            self.throw_out(texts.NOT_UNDERSTOOD)
        else:
            self.count_bad_command()

    def shown(self, line: bytes) -> str:
        """See ``Life``."""
        return shown(line)

    def throw_out(self, text: Text) -> None:
        """See ``Conversation``."""
        if self.ending is None:
            self.write(answers.bye(text, self.translation))
            self.ending = Ending.THROWN_OUT

    def take_leave(self, silence: TimedOut) -> None:
        """See ``Life``."""
        self.write(answers.bye(self.peer.dismissal or silence.text, self.translation))

    def tell_progress(self, now: float) -> None:
        """See ``Life``. RFC 9585 §4."""
        seconds = self.services.limits.progress_seconds
        tag = self._tag
        if tag is None or not seconds or now - max(self._clock, self._progress_told) < seconds:
            return
        # a login is slow on purpose, and IDLE has its own signs of life
        if self.account is None or self.idling or self.peer.in_response or "INPROGRESS" in self.hidden:
            return
        self._progress_told = now
        self.write(answers.untagged_ok(codes.in_progress(tag), texts.STILL_WORKING, self.translation))
        self.peer.flush()

    def log_out(self) -> None:
        """See ``Conversation``."""
        self.ending = Ending.LOGOUT

    # For commands

    def write(self, octets: bytes) -> None:
        """See ``Conversation``."""
        self.peer.write(octets)

    async def give_way(self) -> None:
        """See ``Conversation``."""
        if self.peer.is_due:
            await self.peer.drain()

    async def seek(self, answer: Awaitable[T]) -> T:
        """See ``Conversation``."""
        self.peer.seeking = True
        try:
            return await answer
        finally:
            self.peer.seeking = False

    def ahead(self) -> Iterator[Request]:
        """See ``Conversation``."""
        for line in self.receiver.ahead():
            if line.endswith(b"}"):
                return
            try:
                request = commands.parse(RawCommand((line,)), utf8=self.client.utf8, limits=self.services.limits)
                if self.client.uidonly:
                    require_uids(request)
            except (ClientError, Refused):
                return
            yield request

    def go_on(self, coming: Request, outcome: Answer | Refused | None = None) -> None:
        """See ``Conversation``."""
        row = TABLE[type(coming)]
        if outcome is None and not self.client.condstore and self.translation is ENGLISH:
            # clients pipeline thousands of FETCHes and STOREs
            self.peer.write(row.done % self._tag)
        elif isinstance(outcome, Refused):
            self.note_refusal(outcome)
            modseqs.tell_due(self)
            self.write(answers.no(self._tag, outcome, self.translation))
        else:
            self._say_ok(row, outcome)
        command = self.receiver.next_event()
        if self.tap is not None and isinstance(command, RawCommand):
            masking.tell_command(self.tap, command, self.services.limits)
        self.commands += 1
        self._durations[row.name][UNTIMED] += 1
        self._tag = coming.tag

    def new_spool(self, memory: int, *, unchanged: bool = False) -> Spool:
        """See ``Conversation``."""
        self._has_spools = True
        return self.uploads.new_spool(self, memory, unchanged=unchanged)

    def next_line(self) -> bytes | None:
        """See ``Conversation``."""
        line = self.receiver.next_line()
        if line is not None and self.tap is not None:
            masking.tell_line(self.tap, line, self.last_command)
        return line

    async def read_line(self) -> bytes:
        """See ``Conversation``."""
        while (line := self.next_line()) is None:
            began = monotonic()
            self.receiver.feed(await self.peer.read(self.patience()))
            self.peer.waited += monotonic() - began
        return line

    @property
    def began(self) -> float:
        """See ``Conversation``."""
        return self._clock

    @property
    def stage(self) -> str:
        """See ``Life``."""
        if self.idling:
            return IDLE
        return super().stage if self.view is None else SELECTED

    @property
    def mailbox(self) -> str | None:
        """See ``Life``."""
        return None if self.view is None else self.view.name

    @property
    def has_ended(self) -> bool:
        """See ``Conversation``."""
        return self.ending is not None

    @property
    def expects_numbers(self) -> bool:
        """See ``Conversation``."""
        coming = self.receiver.upcoming()
        return coming is not None and commands.uses_sequence_numbers(coming)

    @property
    def mail(self) -> Account:
        """See ``Conversation``."""
        assert self.account is not None
        return self.account

    @property
    def selected(self) -> View:
        """See ``Conversation``."""
        assert self.view is not None
        return self.view

    @property
    def flag_words(self) -> FlagWords:
        """See ``Conversation``."""
        if self._flag_words is None:
            view = self.selected
            self._flag_words = FlagWords(view.account, view, partial(updates.tell_keywords, self, view))
        return self._flag_words

    async def enter(self, entry: AccountEntry) -> None:
        """See ``Conversation``."""
        with self.entering(entry):
            self.account = await self.services.store.account(entry)
        if entry.hidden:
            self.hidden = hiding.with_consequences(self.hidden | entry.hidden)
            self._note_special()
        self.state = SessionState.AUTHENTICATED
        self.receiver.logged_in()

    def leave(self) -> None:
        """See ``Conversation``, and ``Life``."""
        super().leave()
        self.unselect()
        self.notify(None)
        self.account = None
        self.client = NEW
        self.hidden = hiding.with_consequences(self.services.hidden)
        self._note_special()
        self.translation = ENGLISH
        self.state = SessionState.NOT_AUTHENTICATED
        self.receiver.logged_in(still=False)

    def enable(self, client: Client) -> None:
        """See ``Conversation``."""
        before, self.client = self.client, client
        self._note_special()
        if self.view is not None:
            self.view.plan = None  # it was made for the client as it was
            if client.condstore and not before.condstore:
                modseqs.begin(self, self.view)

    def notify(self, notifications: Notifications | None) -> None:
        """See ``Conversation``."""
        if self.notifications is not None:
            self.notifications.close()
        self.notifications = notifications
        self._note_special()

    def select(self, view: View) -> None:
        """See ``Conversation``."""
        self.unselect()
        self.view = view
        if not view.is_own:
            self._note_special()
        self.state = SessionState.SELECTED

    def unselect(self) -> None:
        """See ``Conversation``."""
        if self.view is not None:
            self.view.watch.close()
            if self.notifications is not None and self.view.account is self.account:
                self.notifications.left(self.view.mailbox)
            self.view.plan = None  # it refers to the session and the view, and would keep both in memory
            self._flag_words = None  # so do the flag words
            self.view = None
            self._note_special()
            self.state = SessionState.AUTHENTICATED


def _begins(event: RawCommand | LiteralOffered | CommandFault) -> bool:
    """Whether *event* begins a command; a server that shuts down does not begin any."""
    if isinstance(event, LiteralOffered):
        return len(event.command.fragments) == 1
    return isinstance(event, RawCommand) and not event.literals
