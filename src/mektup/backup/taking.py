"""Makes a backup: reads each account at one moment, and writes what is not in the backup yet."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, aclosing, suppress
from dataclasses import dataclass, field
from itertools import groupby
from tempfile import TemporaryFile
from types import TracebackType
from typing import BinaryIO, Final, Self, cast

import msgspec

from mektup.backup import compression, texts
from mektup.backup.ahead import ahead
from mektup.backup.damage import Damage
from mektup.backup.key_map import KeyMap
from mektup.backup.manifests import (
    FORMAT,
    PAGE_BITS,
    PAGE_UIDS,
    Entry,
    Listed,
    Manifest,
    Page,
    PageName,
    Run,
    SavedAccount,
    SavedAlias,
    SavedMailbox,
    encoded,
)
from mektup.backup.packs import Kind, Name, PackWriter, digest_of
from mektup.backup.targets import PACK_BYTES, Target
from mektup.store.arrival import DIGEST_BYTES
from mektup.store.directory_pages import all_aliases, all_entries
from mektup.store.faults import FaultRefused, in_words
from mektup.store.faults import Kind as FaultKind
from mektup.store.interface import Account, AccountEntry, Mailbox, Store
from mektup.store.metadata import Wanted
from mektup.store.moments import AccountState, EntryOf, KeptMessage, MailboxState, Moment
from mektup.store.texts import NO_ACCOUNT
from mektup.terms.errors import Code, Refused
from mektup.terms.numbers import ContentId, ModSeq
from mektup.terms.sets import NumberSet, Uids
from mektup.terms.texts import ABOUT, Text

MOMENTS: Final = 5
"""How many moments of an account are tried, where messages are removed while they are read."""

BATCH: Final = 500
"""How many messages are asked for at a time."""

_WANTED: Final = struct.Struct(f"=qqqI{DIGEST_BYTES}s")
"""Content, size, UID, mailbox and digest of a message that has to be read."""

_EVERYTHING: Final = Wanted(("/shared",), None)


@dataclass(slots=True)
class Done:
    """What a run has done so far."""

    stamp: str = ""
    accounts: int = 0
    changed: int = 0
    """Accounts that have a new manifest."""
    messages: int = 0
    """New messages in the packs; a copy of another one does not count."""
    octets: int = 0
    """Their octets."""
    problems: list[Text] = field(default_factory=list)


Progress = Callable[[str, int, int], None]
"""Called with the name of an account, how many of its messages were written, and how many will be."""


@dataclass(frozen=True, slots=True)
class _Content:
    id: ContentId
    size: int
    name: Name
    mailbox: str
    uid: int
    """Where it was found first."""


class _Wanted:
    """The messages that have to be read, in a temporary file. A context manager."""

    def __init__(self) -> None:
        self._file = cast(BinaryIO, TemporaryFile(prefix="mektup-backup-"))
        self._mailboxes: list[str] = []
        self._keys = KeyMap()
        self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with suppress(OSError):  # a full disk may be reported again
            self._file.close()

    def __len__(self) -> int:
        return self._count

    def add(self, mailbox: str, message: KeptMessage) -> None:
        """Adds a message, unless an equal one was added. Raises OSError."""
        key = Name(Kind.MESSAGE, message.digest).key
        if key not in self._keys:
            self._keys.add(key)
            if not self._mailboxes or self._mailboxes[-1] != mailbox:
                self._mailboxes.append(mailbox)
            at = len(self._mailboxes) - 1
            self._file.write(_WANTED.pack(message.content, message.size, message.uid, at, message.digest))
            self._count += 1

    def batches(self) -> Iterator[list[_Content]]:
        """All of them, in the order in which they were added. Raises OSError."""
        self._file.seek(0)
        while octets := self._file.read(BATCH * _WANTED.size):
            yield [
                _Content(ContentId(content), size, Name(Kind.MESSAGE, digest), self._mailboxes[mailbox], uid)
                for content, size, uid, mailbox, digest in _WANTED.iter_unpack(octets)
            ]


class _MadeAgain(Exception):
    """Something changed that must be read anew."""


class Taking:
    """One run."""

    def __init__(self, store: Store, target: Target, stamp: str, progress: Progress) -> None:
        self._store, self._target, self._stamp, self._progress = store, target, stamp, progress
        self._pack: PackWriter | None = None
        self._in_pack: set[bytes] = set()
        self._pending: list[Manifest] = []
        """Manifests of accounts whose messages are in the pack that is being written."""
        self._saved: list[SavedAccount] = []
        self.done = Done(stamp)

    async def run(
        self, entries: AsyncIterator[AccountEntry], own_files: dict[str, bytes], *, whole: bool, anew: bool
    ) -> Done:
        """Saves the accounts of *entries*; with *anew*, reads everything, also what has not changed.

        Raises OSError and Refused where the backup cannot be written; what was written before stays.
        """
        with ExitStack() as failing:
            failing.callback(self._abandon)
            async for entry in entries:
                await self._save(entry, anew=anew)
            self._finish_pack()
            failing.pop_all()
        shared = await self._store.server_metadata.entries(_EVERYTHING)
        addresses = self._store.addresses
        run = Run(
            format=FORMAT,
            taken=self._stamp,
            whole=whole,
            accounts=tuple(self._saved),
            metadata=tuple(Entry("", name, value) for name, value in shared.items()),
            domains=tuple(sorted(await addresses.domains())) if whole else (),
            aliases=tuple(
                [SavedAlias(each.address, each.accounts) async for each in all_aliases(addresses)] if whole else ()
            ),
            files=own_files,
        )
        self._target.put_run(run, compression.packed(encoded(run)))
        return self.done

    def _abandon(self) -> None:
        if self._pack is not None:
            self._pack.abandon()

    # One account

    async def _save(self, entry: AccountEntry, *, anew: bool) -> None:
        before = None if anew else self._base(entry.id)
        failed = False
        try:
            manifest: Manifest | None = await self._manifest(entry, before)
        except Refused as refused:
            now = await self._store.directory.find(entry.name)
            if now is None or now.id != entry.id:
                return  # it was removed meanwhile
            self.note(ABOUT.of(place=entry.name, problem=in_words(refused)))
            manifest, failed = before or self._base(entry.id), True
        self.done.accounts += not failed
        if manifest is None:
            return
        if before is None or manifest is not before:
            self.done.changed += not failed
        if not failed and manifest is not before:
            self._pending.append(manifest)
        self._saved.append(
            SavedAccount(
                id=entry.id,
                name=entry.name,
                secrets=dict(entry.secrets),
                hidden=tuple(sorted(entry.hidden)),
                manifest=manifest.taken,
                messages=manifest.messages,
                size=manifest.size,
                failed=failed,
            )
        )
        if self._pack is not None and self._pack.octets >= PACK_BYTES:
            self._finish_pack()

    def _base(self, account: str) -> Manifest | None:
        """The newest manifest of *account* that can be read."""
        for stamp in reversed(self._target.manifests(account)):
            try:
                return self._target.manifest(account, stamp)
            except (OSError, Refused) as error:
                self.note(error.text if isinstance(error, Refused) else texts.CANNOT_BE_READ.of(error=error))
        return None

    async def _manifest(self, entry: AccountEntry, before: Manifest | None) -> Manifest:
        """The account now; *before* itself where it has not changed. Raises Refused."""
        account = await self._store.account(entry)
        for _ in range(MOMENTS):
            try:
                async with account.snapshot() as moment:
                    return await self._moment(account, moment, before)
            except _MadeAgain:
                before = None
            except Refused as refused:
                # messages were removed after the engine let the moment go; the others are in the packs already
                if refused.code is not Code.EXPUNGEISSUED:
                    raise
        raise Refused(Code.UNAVAILABLE, texts.TOO_BUSY)

    async def _moment(self, account: Account, moment: Moment, before: Manifest | None) -> Manifest:
        lists = _Lists(self, moment, before)
        with _Wanted() as wanted:
            mailboxes = [await lists.mailbox(each, wanted) for each in moment.state.mailboxes]
            manifest = _manifest(account, moment.state, mailboxes, self._stamp)
            damaged = await self._contents(account, moment, wanted)
        known = set(before.damaged) if before else set()
        manifest = msgspec.structs.replace(manifest, damaged=tuple(sorted(known | damaged)))
        if before is not None and msgspec.structs.replace(manifest, taken=before.taken) == before:
            return before
        return manifest

    # Objects

    def has(self, name: Name) -> bool:
        """Whether the object is in the backup already."""
        return name.key in self._in_pack or self._target.has(name)

    def put(self, name: Name, octets: bytes) -> None:
        """Adds an object. Raises OSError, Refused."""
        if not self.has(name):
            self._writer().add(name, octets)
            self._in_pack.add(name.key)

    def _writer(self) -> PackWriter:
        # within an account, too: its manifest waits for its last pack, but the packs need not
        if self._pack is not None and self._pack.octets >= PACK_BYTES:
            self._finish_pack()
        if self._pack is None:
            self._pack = self._target.begin_pack()
        return self._pack

    def _finish_pack(self) -> None:
        if self._pack is not None:
            pack, self._pack = self._pack, None
            self._target.finish_pack(pack)
            self._in_pack.clear()
        for manifest in self._pending:
            self._target.put_manifest(manifest, compression.packed(encoded(manifest)))
        self._pending.clear()

    def note(self, problem: Text) -> None:
        """Keeps a problem for the report."""
        self.done.problems.append(problem)

    async def _contents(self, account: Account, moment: Moment, wanted: _Wanted) -> set[str]:
        """Writes the *wanted* messages; returns the digests of those that cannot be read."""
        damaged: set[bytes] = set()
        written = 0
        for batch in wanted.batches():
            left = [each for each in batch if not self.has(each.name)]
            try:
                left = await self._batch(moment, left)
            except FaultRefused as refused:
                if refused.fault.kind not in (FaultKind.DAMAGED, FaultKind.FAILED):
                    raise
            for each in left:
                if not self.has(each.name):
                    try:
                        await self._stream(moment, each)
                    except (FaultRefused, Damage) as refused:
                        damaged.add(each.name.digest)
                        problem = texts.MESSAGE_DAMAGED.of(uid=each.uid, problem=in_words(refused))
                        self.note(texts.IN_MAILBOX.of(account=account.name, mailbox=each.mailbox, problem=problem))
            written += len(batch)
            self._progress(account.name, written, len(wanted))
        return {digest.hex() for digest in damaged}

    async def _batch(self, moment: Moment, batch: Sequence[_Content]) -> list[_Content]:
        """Writes the small messages of *batch*; returns the others, and those whose octets are wrong."""
        left: list[_Content] = []
        asked = iter(batch)
        async with aclosing(ahead(moment.contents([each.id for each in batch]))) as slices:
            async for some in slices:
                for (_, octets), each in zip(some, asked, strict=False):
                    if octets is None or digest_of(octets) != each.name.digest:
                        left.append(each)
                    else:
                        self._put_message(each, octets)
        return left

    def _put_message(self, content: _Content, octets: bytes) -> None:
        self.put(content.name, octets)
        self.done.messages += 1
        self.done.octets += content.size

    async def _stream(self, moment: Moment, content: _Content) -> None:
        adding = self._writer().stream(content.name, content.size)
        with ExitStack() as failing:
            failing.callback(adding.abandon)
            async for piece in moment.content(content.id):
                adding.write(piece)
            failing.pop_all()
        adding.end()
        self._in_pack.add(content.name.key)
        self.done.messages += 1
        self.done.octets += content.size


class _Lists:
    """Makes the pages of an account's mailboxes."""

    def __init__(self, taking: Taking, moment: Moment, before: Manifest | None) -> None:
        self._taking, self._moment = taking, moment
        self._before = {(each.id, each.uidvalidity): each for each in before.mailboxes} if before else {}

    async def mailbox(self, state: MailboxState, wanted: _Wanted) -> SavedMailbox:
        """The mailbox with its pages; what is not in the backup yet is added to *wanted*."""
        mailbox = state.mailbox
        before = self._before.get((mailbox.id, mailbox.uidvalidity))
        pages = await self._pages(mailbox, before, wanted) if mailbox.selectable else ()
        return SavedMailbox(
            id=mailbox.id,
            name=mailbox.name,
            uidvalidity=mailbox.uidvalidity,
            uidnext=mailbox.uidnext,
            highestmodseq=mailbox.highestmodseq,
            messages=mailbox.messages,
            unseen=mailbox.unseen,
            deleted=mailbox.deleted,
            size=mailbox.size,
            mailboxid=mailbox.mailboxid,
            special_use=mailbox.special_use,
            selectable=mailbox.selectable,
            keywords=state.keywords,
            access={identifier: "".join(sorted(rights)) for identifier, rights in state.access.items()},
            metadata=_entries(state.metadata.items()),
            pages=pages,
        )

    async def _pages(self, mailbox: Mailbox, before: SavedMailbox | None, wanted: _Wanted) -> tuple[PageName, ...]:
        if before is not None and not self._is_later(mailbox, before):
            before = None
        if before is not None and before.highestmodseq == mailbox.highestmodseq:
            pages = {page.number: page for page in before.pages}
        elif before is not None:
            changed, expunged = await self._moment.touched(mailbox.id, ModSeq(before.highestmodseq))
            there = {page.number: page for page in before.pages}
            again = _page_numbers(changed) | _page_numbers(expunged & _uids_of(there))
            pages = {number: page for number, page in there.items() if number not in again}
            pages |= await self._read(mailbox, _uids_of(again), wanted)
        else:
            pages = await self._read(mailbox, NumberSet.span(1, mailbox.uidnext), wanted)
        found = sum(page.messages for page in pages.values()), sum(page.size for page in pages.values())
        if found != (mailbox.messages, mailbox.size):
            if before is not None:
                raise _MadeAgain  # the backup before is of other numbers than it says
            problem = texts.COUNTERS_WRONG.of(found=found[0], counted=mailbox.messages)
            self._taking.note(ABOUT.of(place=mailbox.name, problem=problem))
        return tuple(pages[number] for number in sorted(pages))

    def _is_later(self, mailbox: Mailbox, before: SavedMailbox) -> bool:
        """Whether the pages of *before* can be used again."""
        are_there = all(self._taking.has(Name(Kind.PAGE, bytes.fromhex(page.digest))) for page in before.pages)
        return are_there and mailbox.uidnext >= before.uidnext and mailbox.highestmodseq >= before.highestmodseq

    async def _read(self, mailbox: Mailbox, uids: Uids, wanted: _Wanted) -> dict[int, PageName]:
        pages: dict[int, PageName] = {}
        rows: list[KeptMessage] = []
        async for some in self._moment.messages(mailbox.id, uids):
            for message in some:
                if not self._taking.has(Name(Kind.MESSAGE, message.digest)):
                    wanted.add(mailbox.name, message)
            rows += some
            while rows and rows[0].uid >> PAGE_BITS != rows[-1].uid >> PAGE_BITS:
                number, group = next(groupby(rows, lambda row: row.uid >> PAGE_BITS))
                page = list(group)
                pages[number] = self._page(number, page)
                del rows[: len(page)]
        if rows:
            pages[rows[0].uid >> PAGE_BITS] = self._page(rows[0].uid >> PAGE_BITS, rows)
        return pages

    def _page(self, number: int, rows: Sequence[KeptMessage]) -> PageName:
        words = {word: at for at, word in enumerate(dict.fromkeys(row.word for row in rows))}
        page = Page(
            tuple(self._moment.flag_names(word) for word in words),
            tuple(
                Listed(
                    row.uid,
                    words[row.word],
                    row.modseq,
                    row.internaldate,
                    row.zone,
                    row.saved,
                    row.size,
                    row.digest.hex(),
                )
                for row in rows
            ),
        )
        octets = encoded(page)
        digest = digest_of(octets)
        self._taking.put(Name(Kind.PAGE, digest), octets)
        return PageName(number, digest.hex(), len(rows), sum(row.size for row in rows))


def _page_numbers(uids: Uids) -> set[int]:
    return {number for first, last in uids.runs for number in range(first >> PAGE_BITS, (last >> PAGE_BITS) + 1)}


def _uids_of(numbers: Iterable[int]) -> Uids:
    return NumberSet((number * PAGE_UIDS, (number + 1) * PAGE_UIDS - 1) for number in numbers)


def _entries(items: Collection[tuple[EntryOf, bytes]]) -> tuple[Entry, ...]:
    return tuple(Entry(user, name, value) for (user, name), value in items)


def _manifest(account: Account, state: AccountState, mailboxes: Sequence[SavedMailbox], stamp: str) -> Manifest:
    return Manifest(
        format=FORMAT,
        account=account.id,
        name=account.name,
        taken=stamp,
        modseq=state.modseq,
        uidvalidity=state.uidvalidity,
        subscriptions=tuple(sorted(state.subscriptions)),
        quota={resource.value: most for resource, most in state.own_limits.items()},
        metadata=_entries(state.metadata.items()),
        mailboxes=tuple(mailboxes),
        damaged=(),
    )


async def chosen(store: Store, names: Sequence[str]) -> AsyncIterator[AccountEntry]:
    """The accounts with *names*; all where there are no names. Raises Refused(NONEXISTENT)."""
    if not names:
        async for entry in all_entries(store.directory):
            yield entry
    for name in names:
        entry_or_none = await store.directory.find(name)
        if entry_or_none is None:
            raise Refused(Code.NONEXISTENT, ABOUT.of(place=name, problem=NO_ACCOUNT))
        yield entry_or_none
