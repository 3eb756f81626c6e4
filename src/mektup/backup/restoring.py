"""Restores accounts, mailboxes and messages from a backup, into a store that may be in use.

Nothing is removed. A message that is missing is added under a new UID, so no UID or modseq is given twice; of one that
is there, the flags are set back. A missing mailbox is made, with a new UIDVALIDITY. Restoring again adds nothing again.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from mektup.backup import texts
from mektup.backup.damage import Damage
from mektup.backup.manifests import Listed, Manifest, Page, SavedMailbox, shown
from mektup.backup.matching import There
from mektup.backup.packs import Kind, Name
from mektup.backup.shelf import Objects
from mektup.store import files
from mektup.store.adoption import Adopted
from mektup.store.arrival import prepare
from mektup.store.columns import Column
from mektup.store.faults import in_words
from mektup.store.interface import Account, Incoming, Mailbox
from mektup.store.rules.emailids import digest_named
from mektup.terms.errors import Code, Refused
from mektup.terms.flags import FlagChange
from mektup.terms.limits import Limits
from mektup.terms.numbers import MAX_UINT32, MailboxId, Uid, UidValidity
from mektup.terms.sets import NumberSet, Uids
from mektup.terms.texts import ABOUT, Text

BATCH_MESSAGES: Final = 64
BATCH_BYTES: Final = 256 * 1024
"""How much is added in one transaction, so that others who write to the account wait only for milliseconds."""

FLAGS_AT_ONCE: Final = 500
"""How many messages get their flags back in one transaction."""

HEADER_BYTES: Final = 1024 * 1024
"""How much of a message is read to find its Message-ID."""

_EVERY_UID: Final[Uids] = NumberSet.span(1, MAX_UINT32)
_OF_ONE_MESSAGE: Final = frozenset((Code.LIMIT, Code.TOOBIG))
"""Refusals that are about the message, so that others may be added."""


@dataclass(frozen=True, slots=True)
class Wish:
    """Which part of an account to restore."""

    mailbox: str | None = None
    """One mailbox; None for all."""
    uid: int | None = None
    """One message of it."""
    message_id: str | None = None
    """The messages with that Message-ID, without angle brackets."""

    def means(self, mailbox: SavedMailbox) -> bool:
        """Whether messages of *mailbox* may be meant."""
        return self.mailbox is None or self.mailbox == mailbox.name

    @property
    def is_of_messages(self) -> bool:
        """Whether only some messages are meant."""
        return self.uid is not None or self.message_id is not None


@dataclass(slots=True)
class Restored:
    """What was done, or with a dry run, what would be."""

    mailboxes: int = 0
    """Mailboxes that were made."""
    added: int = 0
    there: int = 0
    """Messages that were there already."""
    flags: int = 0
    """How many of these got their flags back."""
    problems: list[Text] = field(default_factory=list)


Progress = Callable[[str, int, int], None]
"""Called with the name of a mailbox, how many of its messages are done, and how many there are."""


class Stopped(Refused):
    """Restoring ended early; what was restored stays."""


class Restoring:
    """Restores into one account."""

    def __init__(
        self,
        objects: Objects,
        manifest: Manifest,
        account: Account | None,
        limits: Limits,
        progress: Progress,
        *,
        dry: bool,
    ) -> None:
        """*account*: None for one that does not exist yet, of a *dry* run, which only counts."""
        self.objects, self.manifest, self.account = objects, manifest, account
        self.limits, self.progress, self.dry = limits, progress, dry
        self.restored = Restored()

    async def run(self, wish: Wish, uidvalidities: Iterator[UidValidity] | None = None) -> Restored:
        """Restores what *wish* means; new mailboxes get *uidvalidities*, None where the store chooses.

        Raises Stopped where it cannot go on, and Refused(NONEXISTENT) where the backup has no such thing.
        """
        meant = [each for each in self.manifest.mailboxes if wish.means(each)]
        if not meant:
            time_ = shown(self.manifest.taken)
            raise Refused(
                Code.NONEXISTENT,
                texts.NO_MAILBOX_IN.of(account=self.manifest.name, time=time_, name=wish.mailbox),
            )
        found = 0
        for saved in meant:
            if saved.selectable:
                found += await self._mailbox(saved, wish, uidvalidities)
        if wish.is_of_messages and not found:
            raise Refused(
                Code.NONEXISTENT, texts.NO_MESSAGE_IN.of(account=self.manifest.name, time=shown(self.manifest.taken))
            )
        return self.restored

    def note(self, mailbox: str, problem: Text) -> None:
        """Keeps a problem for the report."""
        self.restored.problems.append(texts.IN_MAILBOX.of(account=self.manifest.name, mailbox=mailbox, problem=problem))

    async def _mailbox(self, saved: SavedMailbox, wish: Wish, uidvalidities: Iterator[UidValidity] | None) -> int:
        """Restores a mailbox; returns how many of its messages were meant."""
        live = await self._live(saved.name)
        there = await self._there(live)
        if live is not None and live.uidvalidity == saved.uidvalidity:
            for page in self._pages(saved, quiet=True):
                for each in page.messages:
                    there[0].keep(each.uid, each.digest)
        found = 0
        work: _Work | None = None
        for page in self._pages(saved, quiet=False):
            meant = [each for each in page.messages if self._is_meant(each, wish)]
            found += len(meant)
            if meant and work is None:
                box = await self._made(saved, live, uidvalidities)
                work = _Work(self, saved, box, there[0], there[1])
            if work is not None:
                await work.add(page, meant)
                self.progress(saved.name, found, saved.messages)
        if not wish.is_of_messages and work is None:
            await self._made(saved, live, uidvalidities)
        if work is not None:
            await work.end()
        return found

    async def _live(self, name: str) -> Mailbox | None:
        if self.account is None:
            return None
        try:
            found = await self.account.mailbox(name)
        except Refused as refused:
            if refused.code is not Code.NONEXISTENT:
                raise
            return None
        return found if found.selectable else None

    async def _there(self, live: Mailbox | None) -> tuple[There, dict[int, int]]:
        """The messages of *live*, and the flag word of each."""
        if live is None or self.account is None:
            return There(), {}
        digests: list[tuple[int, str]] = []
        words: dict[int, int] = {}
        async for rows in self.account.fetch(live.id, _EVERY_UID, (Column.EMAILID, Column.FLAGS)):
            for uid, emailid, word in rows:
                digests.append((uid, (digest_named(emailid) or b"").hex()))
                words[uid] = word
        return There(digests), words

    async def _made(
        self, saved: SavedMailbox, live: Mailbox | None, uidvalidities: Iterator[UidValidity] | None
    ) -> Mailbox | None:
        """The mailbox, which is made if it is missing."""
        if live is not None and (uidvalidities is None or live.uidnext > 1):
            return live
        self.restored.mailboxes += 1
        if self.dry or self.account is None:
            return None
        uidvalidity = None if uidvalidities is None else next(uidvalidities)
        try:
            return await self.account.adopt_mailbox(saved.name, uidvalidity, Uid(1), special_use=saved.special_use)
        except Refused as refused:
            raise Stopped(refused.code, _in_mailbox(self.manifest, saved, in_words(refused))) from refused

    def _pages(self, saved: SavedMailbox, *, quiet: bool) -> Iterator[Page]:
        for name in saved.pages:
            try:
                yield self.objects.page(name.digest)
            except (Refused, OSError) as error:
                if not quiet:
                    first = max(1, name.number << 12)
                    problem = texts.LIST_DAMAGED.of(count=name.messages, first=first, problem=words_of(error))
                    self.note(saved.name, problem)

    def _is_meant(self, message: Listed, wish: Wish) -> bool:
        if wish.uid is not None and message.uid != wish.uid:
            return False
        return wish.message_id is None or self._message_id(message) == wish.message_id

    def _message_id(self, message: Listed) -> str:
        header = b""
        try:
            for piece in self.objects.pieces(Name(Kind.MESSAGE, bytes.fromhex(message.digest))):
                header += piece
                if b"\r\n\r\n" in header or len(header) >= HEADER_BYTES:
                    break
        except (Refused, OSError):
            return ""  # a message that is not meant need not be whole
        end = header.find(b"\r\n\r\n")
        return prepare(header if end < 0 else header[: end + 4], self.limits).message_id


class _Work:
    """Restores messages of one mailbox."""

    def __init__(
        self, restoring: Restoring, saved: SavedMailbox, box: Mailbox | None, there: There, words: dict[int, int]
    ) -> None:
        """*box*: None in a dry run; *words*: the flag word of each message in it."""
        self._restoring, self._saved, self._box = restoring, saved, box
        self._there, self._words = there, words
        self._batch: list[tuple[Listed, Adopted]] = []
        self._octets = 0
        self._flags: defaultdict[frozenset[str], list[int]] = defaultdict(list)

    async def add(self, page: Page, messages: Sequence[Listed]) -> None:
        """Restores *messages* of *page*. Raises Stopped."""
        restoring = self._restoring
        for each in messages:
            flags = frozenset(page.flags[each.flags])
            uid = self._there.find(each.uid, each.digest)
            if uid is not None:
                restoring.restored.there += 1
                self._compare(uid, flags)
            elif restoring.dry:
                restoring.restored.added += 1
            else:
                await self._missing(each, flags)

    def _compare(self, uid: int, flags: frozenset[str]) -> None:
        account = self._restoring.account
        assert account is not None
        now = frozenset(map(str.casefold, account.flag_names(self._words[uid])))
        if now != frozenset(map(str.casefold, flags)):
            self._restoring.restored.flags += 1
            self._flags[flags].append(uid)

    async def _missing(self, message: Listed, flags: frozenset[str]) -> None:
        restoring = self._restoring
        try:
            octets = restoring.objects.octets(Name(Kind.MESSAGE, bytes.fromhex(message.digest)))
        except (Damage, OSError) as error:
            problem = texts.MESSAGES_DAMAGED.of(uids=message.uid, count=1, problem=words_of(error))
            restoring.note(self._saved.name, problem)
            return
        arrival = prepare(octets, restoring.limits)
        incoming = Incoming(arrival, flags, message.internaldate, message.zone)
        self._batch.append((message, Adopted(incoming, saved=message.saved)))
        self._octets += len(octets)
        if len(self._batch) >= BATCH_MESSAGES or self._octets >= BATCH_BYTES:
            await self._flush()

    async def _flush(self) -> None:
        batch, self._batch, self._octets = self._batch, [], 0
        account, box = self._restoring.account, self._box
        if not batch or account is None or box is None:
            return  # a dry run
        try:
            await account.adopt(box.id, [adopted for _, adopted in batch])
            self._restoring.restored.added += len(batch)
            return
        except Refused as refused:
            if refused.code not in _OF_ONE_MESSAGE:
                raise self._stopped(batch[0][0], refused) from refused
        for message, adopted in batch:
            await self._one(account, box.id, message, adopted)

    async def _one(self, account: Account, box: MailboxId, message: Listed, adopted: Adopted) -> None:
        try:
            await account.adopt(box, [adopted])
            self._restoring.restored.added += 1
        except Refused as refused:
            if refused.code not in _OF_ONE_MESSAGE:
                raise self._stopped(message, refused) from refused
            problem = texts.NOT_ADDED.of(uid=message.uid, problem=in_words(refused))
            self._restoring.note(self._saved.name, problem)

    def _stopped(self, message: Listed, refused: Refused) -> Stopped:
        problem = texts.STOPPED_AT.of(uid=message.uid, problem=in_words(refused))
        return Stopped(refused.code, _in_mailbox(self._restoring.manifest, self._saved, problem))

    async def end(self) -> None:
        """Adds the rest, and sets flags back. Raises Stopped."""
        await self._flush()
        account, box = self._restoring.account, self._box
        if self._restoring.dry or account is None or box is None:
            return
        for flags, uids in self._flags.items():
            some: Uids = NumberSet.of_sorted(sorted(uids))
            for part in some.slices(FLAGS_AT_ONCE):
                try:
                    await account.store_flags(box.id, part, FlagChange.REPLACE, flags)
                except Refused as refused:
                    problem = ABOUT.of(place=texts.FLAGS, problem=in_words(refused))
                    raise Stopped(
                        refused.code, _in_mailbox(self._restoring.manifest, self._saved, problem)
                    ) from refused


def _in_mailbox(manifest: Manifest, saved: SavedMailbox, problem: Text) -> Text:
    return texts.IN_MAILBOX.of(account=manifest.name, mailbox=saved.name, problem=problem)


def words_of(error: OSError | Refused) -> Text:
    """What is wrong, for an operator."""
    return error.text if isinstance(error, Refused) else files.reason(error)


def new_uidvalidities(manifest: Manifest, mailboxes: Iterable[Mailbox]) -> Iterator[UidValidity]:
    """UIDVALIDITYs that no mailbox of the saved account, and none of *mailboxes*, ever had."""
    highest = max([int(time.time()), manifest.uidvalidity, *(each.uidvalidity for each in mailboxes)])
    while True:
        highest += 1
        yield UidValidity(highest)
