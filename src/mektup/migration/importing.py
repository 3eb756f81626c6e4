"""The importer: brings the mail of any source into an account, and brings only what is new when it runs again.

Each message is known by a key: its UIDVALIDITY and UID where the source has them, else its octets and how many equal
messages came before it. The key is stored in the transaction that stores the message. So an import that was killed goes
on where it ended, and a message that the user has removed since does not come back.

While a batch is stored, the next one is prepared, and the one after it is read. No more than three are in memory.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from mektup.migration import following, names, texts
from mektup.migration.keys import content_key, moved_key, uid_key
from mektup.migration.preparing import Preparing
from mektup.migration.source import CannotRead, Follows, Head, Source, SourceMailbox, Tell
from mektup.store import files
from mektup.store.adoption import Adopted, Adoption
from mektup.store.arrival import DIGEST_BYTES, Arrival
from mektup.store.interface import Account, Incoming, Mailbox
from mektup.store.spool import Spool
from mektup.terms.errors import Code, MektupError, Refused
from mektup.terms.limits import MIB, Limits
from mektup.terms.names import DELIMITER, INBOX
from mektup.terms.numbers import MailboxId, Uid
from mektup.terms.texts import Text

BATCH_MESSAGES: Final = 500
BATCH_BYTES: Final = 8 * MIB
"""A batch is stored in one transaction when it has so many messages or octets."""

MOST_BEHIND: Final = 2
"""So many batches are prepared and stored while another one is read."""

_FIRST: Final = Uid(1)

_OF_ONE_MESSAGE: Final = frozenset({Code.LIMIT, Code.TOOBIG})
"""Refusals that a single message may cause; the others end the import."""


class Progress(Protocol):
    """Shows how far an import is."""

    def begin(self, messages: int | None) -> None:
        """There are about so many messages; None where this is not known."""

    def mailbox(self, name: str) -> None:
        """The messages of this mailbox come next."""

    def advance(self, messages: int) -> None:
        """So many messages more are done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What an import is asked to do."""

    into: str | None = None
    """The mailbox for the source's inbox or only mailbox, with the others below it; None: the source's own names."""
    follow: bool = False
    """Takes over changed flags, and removes what was removed from the source since an earlier run."""
    dry_run: bool = False
    """Reads everything, and stores nothing."""


@dataclass(slots=True)
class Result:
    """What an import has done so far. In a dry run, what it would do."""

    mailboxes: int = 0
    added: int = 0
    known: int = 0
    """Messages that an earlier run brought, or that are here already."""
    vanished: int = 0
    """Messages that were removed from the source while it was read."""
    renumbered: int = 0
    """Those of *added* whose UIDs could not be kept."""
    flags: int = 0
    """Messages that an earlier run brought, and whose flags were changed now."""
    removed: int = 0
    """Messages that an earlier run brought, and that were removed now."""
    problems: int = 0
    """Messages, mailboxes and folders that could not be imported, or not as they are. Each was told."""


@dataclass(slots=True)
class _Target:
    """Where the messages of a source's mailbox go."""

    source: SourceMailbox
    name: str
    id: MailboxId | None
    """None in a dry run for a mailbox that does not exist."""
    keeps_uids: bool
    was_used: bool
    """Whether it had messages before, so an earlier run may have brought some."""
    seen: Counter[bytes] = field(default_factory=Counter)
    """How many messages with the same octets came."""
    mark: bytes | None = None
    """What the source left here at the end of the last run."""
    listed: dict[Uid, frozenset[str]] = field(default_factory=dict)
    """The flags of the messages that the source listed."""
    again: list[Head] = field(default_factory=list)
    """Messages whose UIDs were used here by others: they come at the end, with new UIDs."""


@dataclass(slots=True)
class _Batch:
    """Messages that were read and are to be stored."""

    heads: list[Head] = field(default_factory=list)
    spools: list[Spool] = field(default_factory=list)
    octets: int = 0

    @property
    def is_full(self) -> bool:
        return len(self.heads) >= BATCH_MESSAGES or self.octets >= BATCH_BYTES

    def close(self) -> None:
        """Frees what the messages hold."""
        for spool in self.spools:
            spool.close()


class Importer:
    """One import into *account*. *spool* makes the spool of a message; *tell* is told of what cannot be imported."""

    def __init__(
        self,
        account: Account,
        source: Source,
        plan: Plan,
        limits: Limits,
        progress: Progress,
        tell: Tell,
        spool: Callable[[], Spool],
        result: Result | None = None,
    ) -> None:
        self._account, self._source, self._plan, self._limits = account, source, plan, limits
        self._progress, self._tell_caller, self._spool = progress, tell, spool
        self._preparing = Preparing(limits, 0)
        self._follows = source if isinstance(source, Follows) else None
        self._behind: deque[asyncio.Task[None]] = deque()
        """One task for each batch that is prepared or stored, in the order of storing."""
        self.result = result if result is not None else Result()
        """Filled while the import runs, so that it is known what was done even where ``run`` raises."""

    async def run(self) -> Result:
        """Imports everything. Raises CannotRead where there is no source, and Refused where the account is full.

        What was stored before stays, and ``result`` has it.
        """
        mailboxes = await self._source.mailboxes(self._tell)
        counts = [each.messages for each in mailboxes]
        total = None if None in counts else sum(each for each in counts if each is not None)
        self._progress.begin(total)
        self._preparing = Preparing(self._limits, total)
        async with self._preparing:
            for mailbox in mailboxes:
                await self._import_mailbox(mailbox, len(mailboxes))
        if self._follows is not None:
            self._follows.note_missing(await following.read_marks(self._account))
        return self.result

    def _tell(self, place: str, problem: Text) -> None:
        self.result.problems += 1
        self._tell_caller(place, problem)

    # A mailbox

    async def _import_mailbox(self, source: SourceMailbox, mailboxes: int) -> None:
        name = self._name_of(source, mailboxes)
        self._progress.mailbox(name)
        if not await self._is_same(source, name):
            return
        target = await self._target(source, name)
        if target is None:
            return
        problems, known = self.result.problems, self.result.known
        try:
            if self._follows is not None and target.id is not None:
                target.mark = await following.read_mark(self._account, target.id)
                self._follows.use_mark(target.mark)
            await self._import_messages(target)
            is_complete = self.result.problems == problems
            await self._follow(target, is_complete=is_complete, is_first=self.result.known == known)
        except CannotRead as error:
            self._tell(source.place, error.text)
        except OSError as error:
            self._tell(source.place, files.reason(error))
        finally:
            await self._settle()
        self.result.mailboxes += 1

    def _name_of(self, source: SourceMailbox, mailboxes: int) -> str:
        into = self._plan.into
        if into is None:
            return source.name
        alone = mailboxes == 1 or source.name == INBOX
        return into if alone else names.usable([*into.split(DELIMITER), *source.name.split(DELIMITER)], self._limits)

    async def _target(self, source: SourceMailbox, name: str) -> _Target | None:
        """The mailbox for the messages; None where it cannot be made, which is told."""
        try:
            there = await self._existing(name)
            if self._plan.dry_run:
                keeps = source.uidvalidity is not None
                return _Target(source, name, None if there is None else there.id, keeps, there is not None)
            keeps, mailbox = await self._adopted_mailbox(source, name)
        except Refused as refused:
            if refused.code not in (Code.CANNOT, Code.LIMIT):
                raise
            self._tell(source.place, refused.text)
            return None
        if source.subscribed or (source.subscribed is None and there is None):
            await self._account.subscribe(name)
        elif source.subscribed is False and name != INBOX and there is not None and there.uidnext == 1:
            await self._account.unsubscribe(name)  # one that every new account has
        return _Target(source, name, mailbox.id, keeps, mailbox.uidnext > 1)

    async def _existing(self, name: str) -> Mailbox | None:
        try:
            return await self._account.mailbox(name)
        except Refused as refused:
            if refused.code is Code.NONEXISTENT:
                return None
            raise

    async def _adopted_mailbox(self, source: SourceMailbox, name: str) -> tuple[bool, Mailbox]:
        use = source.special_use if self._plan.into is None else None
        if source.uidvalidity is not None:
            try:
                made = await self._account.adopt_mailbox(
                    name, source.uidvalidity, _FIRST, highestmodseq=source.highestmodseq, special_use=use
                )
            except Refused as refused:
                if refused.code is not Code.CANNOT:
                    raise
                made = await self._account.adopt_mailbox(name, None, _FIRST, special_use=use)
                self._tell(source.place, texts.UIDS_NOT_KEPT.of(reason=refused.text))
                return False, made
            return True, made
        return False, await self._account.adopt_mailbox(name, None, _FIRST, special_use=use)

    # Following

    async def _is_same(self, source: SourceMailbox, name: str) -> bool:
        """Whether the source's mailbox is the one that an earlier run took; else it is told, and taken anew."""
        there = await self._existing(name)
        if there is None or self._follows is None or source.uidvalidity in (None, there.uidvalidity):
            return True
        brought = await following.brought(self._account, there)
        if not brought:
            return True
        if not self._plan.follow:
            self._tell(source.place, texts.UIDVALIDITY_CHANGED)
            return False
        self._tell(source.place, texts.TAKEN_ANEW)
        if not self._plan.dry_run:
            await following.remove(self._account, there.id, brought)
        return True

    async def _follow(self, target: _Target, *, is_complete: bool, is_first: bool) -> None:
        source = self._follows
        if source is None or target.id is None or not target.keeps_uids:
            return
        await self._settle()
        if self._plan.follow:
            mailbox = await self._account.mailbox(target.name)
            gone = source.gone()
            done = await following.follow(self._account, mailbox, target.listed, gone, dry_run=self._plan.dry_run)
            self.result.flags += done.flags
            self.result.removed += done.removed
            if done.refused is not None:
                self._tell(target.source.place, texts.FLAGS_REFUSED.of(reason=done.refused))
                is_complete = False
        if is_complete and not self._plan.dry_run and (self._plan.follow or (is_first and target.mark is None)):
            mark = source.mark(target.source)
            if mark != target.mark:
                await self._leave_mark(target, target.id, mark)

    async def _leave_mark(self, target: _Target, mailbox: MailboxId, mark: bytes | None) -> None:
        try:
            await following.write_mark(self._account, mailbox, mark)
        except Refused as refused:
            # the next run compares everything
            if refused.code not in (Code.METADATA_MAXSIZE, Code.METADATA_TOOMANY):
                raise
            self._tell(target.source.place, texts.NO_MARK.of(reason=refused.text))

    # Its messages

    async def _import_messages(self, target: _Target) -> None:
        raised = False
        async with aclosing(self._source.heads(target.source, self._tell)) as slices:
            async for heads in slices:
                with_uid = [head for head in heads if head.uid is not None]
                if self._plan.follow:
                    target.listed.update((head.uid, head.flags) for head in with_uid if head.uid is not None)
                await self._import_some(target, with_uid)
                without = heads[len(with_uid) :]
                if without and not raised:
                    raised = True
                    await self._raise_uidnext(target)
                await self._import_some(target, without)
        await self._raise_uidnext(target)
        if target.again:
            await self._import_some(replace(target, keeps_uids=False, again=[]), target.again)
            self.result.renumbered += len(target.again)
            self._tell(target.source.place, texts.NEW_UIDS.of(count=len(target.again)))

    async def _raise_uidnext(self, target: _Target) -> None:
        """Gives the mailbox the source's UIDNEXT, after all messages that keep their UIDs."""
        await self._settle()
        source = target.source
        if target.id is not None and target.keeps_uids and source.uidnext is not None and not self._plan.dry_run:
            await self._account.adopt_mailbox(
                target.name, source.uidvalidity, source.uidnext, highestmodseq=source.highestmodseq
            )

    async def _import_some(self, target: _Target, heads: Sequence[Head]) -> None:
        new = await self._unknown(target, heads)
        batch = _Batch()
        try:
            async with aclosing(self._read(target, new)) as read:
                async for head, spool in read:
                    batch.heads.append(head)
                    batch.spools.append(spool)
                    batch.octets += spool.size
                    if batch.is_full:
                        full, batch = batch, _Batch()
                        await self._store_behind(target, full)
        except (CannotRead, MektupError, OSError):
            # what was read until then is kept
            if batch.heads:
                await self._store_behind(target, batch)
            raise
        if batch.heads:
            await self._store_behind(target, batch)

    async def _unknown(self, target: _Target, heads: Sequence[Head]) -> Sequence[Head]:
        """Those of *heads* that no earlier run brought, as far as their UIDs tell."""
        validity = target.source.uidvalidity
        if target.id is None or validity is None:
            return heads
        keys = {
            make(validity, head.uid): head for head in heads if head.uid is not None for make in (uid_key, moved_key)
        }
        known = await self._account.imported(target.id, keys)
        if not known:
            return heads
        self._done_before(len(known))
        done = {keys[key].uid for key in known}
        return [head for head in heads if head.uid is None or head.uid not in done]

    def _done_before(self, messages: int) -> None:
        self.result.known += messages
        self._progress.advance(messages)

    async def _read(self, target: _Target, heads: Sequence[Head]) -> AsyncGenerator[tuple[Head, Spool], None]:
        """The messages that can be read."""
        if not heads:
            return
        async with aclosing(self._source.read(target.source, heads, self._spool)) as slices:
            async for some in slices:
                for head, spool in some:
                    if isinstance(spool, Spool) and spool.size and not spool.too_big:
                        yield head, spool
                    else:
                        self._note_unread(head, spool)

    def _note_unread(self, head: Head, spool: Spool | CannotRead | None) -> None:
        self._progress.advance(1)
        if spool is None:
            self.result.vanished += 1
        elif isinstance(spool, CannotRead):
            self._tell(head.place, spool.text)
        else:
            spool.close()
            too_big = texts.TOO_BIG.of(octets=self._limits.message_bytes)
            self._tell(head.place, too_big if spool.too_big else texts.EMPTY)

    # Storing

    async def _store_behind(self, target: _Target, batch: _Batch) -> None:
        """Prepares and stores *batch* while the caller goes on; waits where too many batches come before it."""
        before = self._behind[-1] if self._behind else None
        self._behind.append(asyncio.create_task(self._prepare_and_store(target, batch, before)))
        while len(self._behind) > MOST_BEHIND:
            await self._behind[0]
            self._behind.popleft()

    async def _settle(self) -> None:
        """Waits until everything is stored. Raises what the first batch raised that could not be stored."""
        behind, self._behind = self._behind, deque()
        # of the batches after one that failed none is stored, and each of their tasks raises the same
        await asyncio.gather(*behind, return_exceptions=True)
        for task in behind:
            task.result()

    async def _prepare_and_store(self, target: _Target, batch: _Batch, before: asyncio.Task[None] | None) -> None:
        """Prepares at once, and stores after *before*, so that what a killed import has stored is a beginning."""
        try:
            arrivals = await self._preparing.arrivals([spool.octets() for spool in batch.spools])
            if before is not None:
                await before
            await self._store(target, batch.heads, self._adopted(target, batch.heads, arrivals))
        finally:
            batch.close()

    def _adopted(self, target: _Target, heads: Sequence[Head], arrivals: Sequence[Arrival]) -> Sequence[Adopted]:
        adopted: list[Adopted] = []
        for head, arrival in zip(heads, arrivals, strict=True):
            date, zone = head.internaldate, head.zone
            if date is None and arrival.sent is not None and arrival.sent > 0:
                date, zone = arrival.sent, arrival.sent_zone
            incoming = Incoming(arrival, head.flags, date, zone)
            uid = head.uid if target.keeps_uids else None
            adopted.append(Adopted(incoming, uid, head.saved, self._key(target, head, arrival.digest)))
        return adopted

    async def _store(self, target: _Target, heads: Sequence[Head], adopted: Sequence[Adopted]) -> None:
        new_heads, new = await self._without_listed_since(target, heads, adopted)
        if self._plan.dry_run:
            await self._count(target, new)
        else:
            await self._adopt(target, new_heads, new)
        self._progress.advance(len(adopted))

    async def _without_listed_since(
        self, target: _Target, heads: Sequence[Head], adopted: Sequence[Adopted]
    ) -> tuple[Sequence[Head], Sequence[Adopted]]:
        """Leaves out messages that an earlier run brought when they had no UIDs yet."""
        if target.id is None or not target.was_used:
            return heads, adopted
        without_uid = [
            None if head.uid is None else content_key(message.incoming.arrival.digest, 0)
            for head, message in zip(heads, adopted, strict=True)
        ]
        known = await self._account.imported(target.id, [key for key in without_uid if key is not None])
        if not known:
            return heads, adopted
        self.result.known += sum(key in known for key in without_uid)
        kept = [at for at, key in enumerate(without_uid) if key not in known]
        return [heads[at] for at in kept], [adopted[at] for at in kept]

    def _key(self, target: _Target, head: Head, digest: bytes) -> bytes:
        validity = target.source.uidvalidity
        if validity is not None and head.uid is not None:
            return uid_key(validity, head.uid) if target.keeps_uids else moved_key(validity, head.uid)
        assert len(digest) == DIGEST_BYTES
        before = target.seen[digest]
        target.seen[digest] += 1
        return content_key(digest, before)

    async def _count(self, target: _Target, adopted: Sequence[Adopted]) -> None:
        keys = [each.key for each in adopted if each.key is not None]
        known = 0 if target.id is None else len(await self._account.imported(target.id, keys))
        self.result.known += known
        self.result.added += len(adopted) - known

    async def _adopt(self, target: _Target, heads: Sequence[Head], adopted: Sequence[Adopted]) -> None:
        """Stores messages; where they are refused, one by one, so that it is known which one is at fault."""
        assert target.id is not None
        try:
            found = await self._account.adopt(target.id, adopted)
        except Refused as refused:
            if len(adopted) == 1:
                await self._adopt_difficult(target, heads[0], adopted[0], refused)
                return
            if refused.code not in (*_OF_ONE_MESSAGE, Code.OVERQUOTA):
                raise
            half = len(adopted) // 2
            await self._adopt(target, heads[:half], adopted[:half])
            await self._adopt(target, heads[half:], adopted[half:])
            return
        self._note(target, heads, found)

    async def _adopt_difficult(self, target: _Target, head: Head, message: Adopted, refused: Refused) -> None:
        keywords = {flag for flag in message.incoming.flags if not flag.startswith("\\")}
        if refused.code is Code.LIMIT and keywords:
            plain = replace(message.incoming, flags=message.incoming.flags - keywords)
            assert target.id is not None
            self._note(target, [head], await self._account.adopt(target.id, [replace(message, incoming=plain)]))
            self._tell(head.place, texts.WITHOUT_KEYWORDS.of(reason=refused.text))
        elif refused.code in _OF_ONE_MESSAGE:
            self._tell(head.place, refused.text)
        else:
            raise refused

    def _note(self, target: _Target, heads: Sequence[Head], found: Adoption) -> None:
        self.result.added += len(found.uids)
        self.result.known += found.known + len(found.there)
        used = found.other | found.gone
        if used:
            target.again += [head for head in heads if head.uid is not None and head.uid in used]
