"""Another server as a ``Source``: its mailboxes with UIDVALIDITY, UIDs, flags, dates, subscriptions, special uses.

A *mark* says how far a mailbox was followed: the server's HIGHESTMODSEQ (RFC 7162). With the mark of the last run, only
what changed since is asked for; a mailbox in which nothing changed is not even opened.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

import msgspec

from mektup.migration.imap import texts
from mektup.migration.imap.errors import CommandRefused, NotUnderstood, ServerProblem
from mektup.migration.imap.fetched import Fetched
from mektup.migration.imap.mailboxes import VIRTUAL, MailboxState, ServerMailbox, read_mailboxes
from mektup.migration.imap.reader import Gone, Listing, Reader, Unfetched
from mektup.migration.imap.responses import Message
from mektup.migration.source import CannotRead, Head, Read, SourceMailbox, Tell
from mektup.store.spool import Spool
from mektup.terms.flags import objection_to_flag
from mektup.terms.limits import MIB, Limits
from mektup.terms.names import INBOX
from mektup.terms.numbers import NO_MODSEQ, ModSeq, Uid, UidValidity
from mektup.terms.sets import NumberSet, Uids

HEADS_AT_ONCE: Final = 2000

READ_BYTES: Final = 2 * MIB
"""A slice of messages ends when it has so many octets."""


class Mark(msgspec.Struct, frozen=True):
    """How far a mailbox of a server was followed."""

    server: str
    user: str
    mailbox: str
    """Its name as the server writes it, read as Latin-1."""
    uidvalidity: int
    modseq: int
    """0 where the server has no modseqs."""


@dataclass(slots=True)
class Wishes:
    """What to take from a server."""

    only: Sequence[str] = ()
    """Names here of the mailboxes to take; empty for all of the user's own that are no views of others."""
    skip: Sequence[str] = ()


class ImapSource:
    """A user's mail at a server. *note* is told of what is no problem, but should be known."""

    def __init__(self, reader: Reader, server: str, user: str, wishes: Wishes, limits: Limits, note: Tell) -> None:
        self._reader, self._server, self._user = reader, server, user
        self._wishes, self._limits, self._note = wishes, limits, note
        self._listing = Listing({}, None)
        self._since: Mark | None = None
        self._found: Sequence[ServerMailbox] = ()
        self.taken: list[ServerMailbox] = []
        """Those of the server's mailboxes that ``mailboxes`` named."""

    async def mailboxes(self, tell: Tell) -> Sequence[SourceMailbox]:
        """See ``Source``, also for the other methods."""
        found = self._found = await read_mailboxes(await self._reader.client(), self._limits)
        self.taken = []
        for each in sorted(found, key=lambda mailbox: mailbox.name != INBOX):
            if not self._is_wished(each):
                continue
            if each.problem is not None:
                tell(each.shown, each.problem)
            else:
                self.taken.append(each)
        for name in self._wishes.only:
            if name not in [each.name for each in self.taken]:
                tell(name, texts.NO_SUCH_MAILBOX_THERE)
        return [self._source_mailbox(each) for each in self.taken]

    def _is_wished(self, mailbox: ServerMailbox) -> bool:
        if self._wishes.only:
            return mailbox.name in self._wishes.only
        if mailbox.name in self._wishes.skip:
            return False
        if mailbox.special_use in VIRTUAL:
            self._note(mailbox.shown, texts.IS_A_VIEW.of(name=mailbox.name))
            return False
        return True

    def _source_mailbox(self, mailbox: ServerMailbox) -> SourceMailbox:
        state = mailbox.state
        return SourceMailbox(
            name=mailbox.name,
            place=mailbox.shown,
            uidvalidity=None if state.uidvalidity is None else UidValidity(state.uidvalidity),
            uidnext=None if state.uidnext is None else Uid(state.uidnext),
            highestmodseq=NO_MODSEQ if state.highestmodseq is None else ModSeq(state.highestmodseq),
            subscribed=mailbox.is_subscribed,
            special_use=mailbox.special_use,
            messages=state.messages,
            where=mailbox,
        )

    # Following

    def use_mark(self, mark: bytes | None) -> None:
        """See ``Follows``, also for the next methods."""
        self._since = None if mark is None else decoded_mark(mark)

    def gone(self) -> Uids | None:
        return self._listing.gone

    def mark(self, mailbox: SourceMailbox) -> bytes:
        return msgspec.json.encode(self._mark(mailbox.where))

    def _mark(self, mailbox: ServerMailbox) -> Mark:
        state = mailbox.state
        raw = mailbox.raw.decode("latin-1")
        return Mark(self._server, self._user, raw, state.uidvalidity or 0, state.highestmodseq or 0)

    def note_missing(self, marks: Mapping[str, bytes]) -> None:
        there = {each.raw.decode("latin-1") for each in self._found}
        names = {each.state.uidvalidity: each.name for each in self._found}
        for name, octets in marks.items():
            mark = decoded_mark(octets)
            if mark is None or (mark.server, mark.user) != (self._server, self._user) or mark.mailbox in there:
                continue
            renamed = names.get(mark.uidvalidity)
            self._note(name, texts.DELETED_THERE if renamed is None else texts.RENAMED_THERE.of(name=renamed))

    # Messages

    async def heads(self, mailbox: SourceMailbox, tell: Tell) -> AsyncGenerator[Sequence[Head], None]:
        self._listing = await self._listed(mailbox.where)
        heads = self._heads(mailbox, self._listing)
        while some := list(islice(heads, HEADS_AT_ONCE)):
            yield some

    async def _listed(self, mailbox: ServerMailbox) -> Listing:
        now = self._mark(mailbox)
        since = self._since
        if since is not None and (since.modseq == 0 or msgspec.structs.replace(since, modseq=now.modseq) != now):
            # of another mailbox, or of a server without modseqs
            since = None
        if since == now and mailbox.state.messages is not None:
            # nothing has changed since
            return Listing({}, NumberSet())
        try:
            self._require_same(mailbox, await self._reader.open(mailbox))
            return await self._reader.listing(None if since is None else since.modseq)
        except CommandRefused as error:
            raise CannotRead(error.text) from error
        except NotUnderstood as error:
            await self._reader.close()
            raise CannotRead(error.text) from error

    def _require_same(self, mailbox: ServerMailbox, state: MailboxState) -> None:
        if state.uidvalidity != mailbox.state.uidvalidity:
            raise CannotRead(texts.CHANGED_MEANWHILE.of(mailbox=mailbox.shown))

    def _heads(self, mailbox: SourceMailbox, listing: Listing) -> Iterator[Head]:
        left_out: set[str] = set()
        usable: dict[tuple[str, ...], frozenset[str]] = {}
        for uid, flags in listing.flags.items():
            if (kept := usable.get(flags)) is None:
                kept = usable[flags] = self._usable(flags)
                left_out |= set(flags) - kept
            yield Head(shown_place(mailbox.place, uid), uid, kept)
        if left_out:
            shown = " ".join(sorted(left_out)[:10])
            self._note(mailbox.place, texts.FLAGS_LEFT_OUT.of(flags=shown))

    def _usable(self, flags: Sequence[str]) -> frozenset[str]:
        return frozenset(flag for flag in flags if objection_to_flag(flag, self._limits.keyword_bytes) is None)

    async def read(
        self, mailbox: SourceMailbox, heads: Sequence[Head], spool: Callable[[], Spool]
    ) -> AsyncGenerator[Sequence[Read], None]:
        by_uid = {head.uid: head for head in heads}
        wanted: Uids = NumberSet.of_sorted([head.uid for head in heads if head.uid is not None])
        slices = _Slices(heads)
        try:
            async with aclosing(self._reader.messages(wanted)) as answers:
                async for each in answers:
                    assert each.uid is not None
                    head = by_uid[each.uid]
                    slices.add(each.uid, self._read(head, each, spool))
                    if slices.octets >= READ_BYTES and (some := slices.taken()):
                        yield some
            yield slices.taken()
        except ServerProblem:
            # what came until then is kept
            if some := slices.taken():
                yield some
            raise
        finally:
            slices.close()

    def _read(self, head: Head, answer: Fetched | Unfetched | Gone, spool: Callable[[], Spool]) -> Read:
        if isinstance(answer, Gone):
            return head, None
        if isinstance(answer, Unfetched):
            return head, CannotRead(answer.reason)
        if answer.flags is not None:
            head = replace(head, flags=self._usable(answer.flags))
        if answer.internaldate is not None:
            head = replace(head, internaldate=answer.internaldate[0], zone=answer.internaldate[1])
        message = answer.message
        if isinstance(message, Message):
            announced, filled = message.announced, message.spool
        else:
            assert message is not None
            announced, filled = len(message), spool()
            filled.write(message)
        if answer.size is not None and answer.size != announced:
            self._note(head.place, texts.WRONG_SIZE.of(told=answer.size, sent=announced))
        return head, filled

    async def close(self) -> None:
        await self._reader.close()


class _Slices:
    """Puts messages into the order of *heads*, whatever the order in which a server sends them."""

    def __init__(self, heads: Sequence[Head]) -> None:
        self._heads = heads
        self._at = 0
        self._waiting: dict[Uid, Read] = {}
        self.octets = 0

    def add(self, uid: Uid, read: Read) -> None:
        """Takes a message."""
        self._waiting[uid] = read
        if isinstance(read[1], Spool):
            self.octets += read[1].size

    def taken(self) -> list[Read]:
        """The messages that are next in order."""
        found: list[Read] = []
        for head in islice(self._heads, self._at, None):
            assert head.uid is not None
            if head.uid not in self._waiting:
                break
            found.append(self._waiting.pop(head.uid))
        self._at += len(found)
        self.octets = sum(read[1].size for read in self._waiting.values() if isinstance(read[1], Spool))
        return found

    def close(self) -> None:
        """Frees what was not taken."""
        for _, spool in self._waiting.values():
            if isinstance(spool, Spool):
                spool.close()


def shown_place(mailbox: str, uid: Uid) -> str:
    """Where a message is, for reports."""
    return f"{mailbox} UID {uid}"


def decoded_mark(octets: bytes) -> Mark | None:
    """The mark in *octets*; None where they are none, such as of a later version."""
    try:
        return msgspec.json.decode(octets, type=Mark)
    except (msgspec.DecodeError, msgspec.ValidationError):
        return None
