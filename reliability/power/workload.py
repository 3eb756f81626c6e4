"""Seeded work on a store: every kind of change that mektup makes to its files, with a note of what was acknowledged."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from uuid import uuid4

from mektup.server import self_signed
from mektup.store.interface import AccountEntry, Incoming, Mailbox
from mektup.store.sqlite import back_up_all, open_store, restore_all
from mektup.store.sqlite.account import SqliteAccount
from mektup.store.sqlite.store import SqliteStore
from mektup.terms.errors import Refused
from mektup.terms.flags import FlagChange
from mektup.terms.limits import Limits
from mektup.terms.numbers import AccountId, Uid
from mektup.terms.sets import Uids
from reliability.disk.acts import Act
from reliability.disk.layer import Layer
from reliability.disk.pictures import Folder, Picture, picture_of
from reliability.power.commits import Commits
from reliability.power.journal import DATA, Copy, History, Journal, Moment
from reliability.power.mail import incoming

FLAGS = ("\\Seen", "\\Deleted", "\\Flagged", "\\Answered", "$Junk", "$Important", "$Work", "$One")
NAMES = ("Archive", "Sent", "Trash", "a/b", "a/b/c", "Old/2024", "Lists")
MOST_MESSAGES = 25

Change = Callable[[SqliteAccount], Awaitable[object]]


class SyncTrouble:
    """Makes some syncs of accounts' WALs fail, while it is armed."""

    def __init__(self, random: Random, share: float) -> None:
        """*share* of the syncs fail."""
        self._random = random
        self._share = share
        self._is_armed = False
        self.failures = 0

    def __call__(self, act: Act, path: str) -> int:
        """For the layer."""
        if not self._is_armed or act is not Act.SYNC or not path.endswith(".db-wal") or "/accounts/" not in path:
            return 0
        if self._random.random() >= self._share:
            return 0
        self.failures += 1
        return errno.EIO

    @contextmanager
    def armed(self, *, may_fail: bool) -> Iterator[None]:
        """A block in which syncs may fail, with *may_fail*."""
        self._is_armed = may_fail
        try:
            yield
        finally:
            self._is_armed = False


class Workload:
    """One run of seeded work on the data directory below the root of *layer*."""

    def __init__(
        self,
        layer: Layer,
        root: Path,
        random: Random,
        limits: Limits,
        compression: int | None,
        trouble: SyncTrouble,
    ) -> None:
        self.journal = Journal()
        self.trouble = trouble
        self._layer = layer
        self._root = root
        self._data = root / DATA
        self._random = random
        self._limits = limits
        self._compression = compression
        self._store: SqliteStore | None = None
        self._accounts: dict[str, SqliteAccount] = {}
        self._pictures: dict[AccountId, Picture] = {}
        self._entries: dict[str, AccountEntry] = {}
        self._commits = Commits(layer)
        self._number = 0

    @property
    def _now(self) -> int:
        return self._layer.recording.now

    # The store

    async def begin(self) -> None:
        """Makes a data directory with two accounts."""
        await self._open_store()
        self._note_names("opened", 0)
        for name in ("linda", "ali"):
            await self._add(name)

    async def take_over(self, before: Mapping[AccountId, Sequence[Moment[Picture]]]) -> None:
        """Begins with the data directory that is there; *before* is what clients have seen of it."""
        store = await self._open_store()
        self._entries = {entry.name: entry for entry in await store.directory.entries("", 100)}
        self._note_names("opened", 0, is_there=True)
        for name, entry in self._entries.items():
            await self._open_account(name, entry)
            picture = self._pictures[entry.id] = await picture_of(self._accounts[name])
            there = Moment("opened", 0, self._now, 0, True, picture)
            self.journal.accounts[entry.id] = History([there], list(before.get(entry.id, ())))

    async def _open_store(self) -> SqliteStore:
        self._store = await open_store(self._data, limits=self._limits, compression=self._compression)
        await self._store.tidy()
        return self._store

    async def open(self) -> None:
        """Opens the store again, and all accounts."""
        await self._open_store()
        for name, entry in self._entries.items():
            await self._open_account(name, entry)

    async def close(self) -> None:
        """Closes the store; nothing that a client can see changes."""
        assert self._store is not None
        self._accounts.clear()
        await self._store.close()
        self._store = None

    def end(self) -> None:
        """Closes what the workload itself has open, after the store."""
        self._commits.close()

    async def _open_account(self, name: str, entry: AccountEntry) -> None:
        assert self._store is not None
        self._accounts[name] = await self._store.account(entry)

    async def step(self) -> None:
        """Does one operation, chosen at random."""
        self.journal.steps += 1
        kinds = list(_STEPS)
        (kind,) = self._random.choices(kinds, [_STEPS[each] for each in kinds])
        await kind(self)

    # Notes

    def _note_names(self, what: str, begun: int, *, is_there: bool = False) -> None:
        state = {name: (entry.id, entry.secrets["password"]) for name, entry in self._entries.items()}
        now = self._now
        self.journal.names.moments.append(Moment(what, begun, now, 0 if is_there else now, True, state))
        self.journal.count(what)

    async def _changed(
        self, name: str, what: str, change: Change, *, is_durable: bool = True, may_fail: bool = True
    ) -> None:
        """Makes one change in one transaction, and notes it. A refusal changes nothing."""
        account = self._accounts[name]
        begun = self._now
        history = self.journal.accounts[account.id]
        self._commits.follow(self._path(account))
        is_done = is_uncertain = False
        try:
            with self.trouble.armed(may_fail=may_fail):
                await change(account)
            is_done = True
            self.journal.count(what)
        except Refused as refused:
            is_uncertain = refused.uncertain
        acknowledged = self._now
        seen = self._commits.seen()
        await self._settled(account)
        before, after = self._pictures[account.id], await picture_of(account)
        is_changed = after.essence() != before.essence()
        durable = acknowledged if is_done and is_durable and is_changed else 0
        self._note_doubt(history, begun, durable, failed=not is_done)
        if not is_done and not is_uncertain:
            assert not is_changed, f"{what}: it was refused, and something has changed"
        elif is_changed:
            is_durable = is_durable and is_done
            visible = seen[0] if seen else acknowledged
            moment = Moment(what, begun, min(visible, acknowledged), acknowledged, is_durable, after)
            history.moments.append(moment)
        self._pictures[account.id] = after

    def _note_doubt(self, history: History[Picture], begun: int, durable: int, *, failed: bool) -> None:
        last = history.doubts[-1] if history.doubts else None
        is_open = last is not None and not last[1]
        if is_open and last is not None and durable:
            history.doubts[-1] = last[0], durable
        elif failed and self.trouble.failures and not is_open:
            history.doubts.append((begun, 0))
            self.journal.count("a sync that failed")
        self.trouble.failures = 0

    async def _settled(self, account: SqliteAccount) -> None:
        """Waits for work behind the answer."""
        while True:
            if account.database.checkpoints.task is None:
                return
            await asyncio.sleep(0.0005)

    def _path(self, account: SqliteAccount) -> Path:
        return self._data / "accounts" / account.id[:2] / f"{account.id}.db"

    def _any(self) -> tuple[str, Picture]:
        name = self._random.choice(sorted(self._accounts))
        return name, self._pictures[self._accounts[name].id]

    def _folder(self, picture: Picture, *, with_mail: bool) -> Folder:
        folders = [each for _, each in sorted(picture.folders.items()) if each.mailbox.selectable]
        full = [each for each in folders if each.messages]
        return self._random.choice(full if with_mail and full else folders)

    def _some(self, folder: Folder) -> Uids:
        there = sorted(folder.messages)
        count = self._random.randint(1, max(1, min(6, len(there))))
        return Uids.of(Uid(uid) for uid in self._random.sample(there, min(count, len(there))))

    def _flags(self) -> frozenset[str]:
        return frozenset(self._random.sample(FLAGS, self._random.randint(0, 3)))

    def _messages(self, most: int, size: int = 2000) -> list[Incoming]:
        made = []
        for _ in range(self._random.randint(1, most)):
            self._number += 1
            made.append(incoming(self._number, self._random.randrange(size), self._flags(), self._limits))
        return made

    # Steps of one account

    async def _append(self) -> None:
        name, picture = self._any()
        folder = self._folder(picture, with_mail=False)
        if len(folder.messages) > MOST_MESSAGES:
            await self._remove()
            return
        messages = self._messages(3)
        await self._changed(name, "append", lambda account: account.append(folder.mailbox.id, messages))

    async def _append_large(self) -> None:
        name, picture = self._any()
        folder = self._folder(picture, with_mail=False)
        messages = self._messages(1, 120_000)
        await self._changed(name, "append a large message", lambda account: account.append(folder.mailbox.id, messages))

    async def _append_at_once(self) -> None:
        """Several clients append at the same time, and share a sync."""
        name, picture = self._any()
        account = self._accounts[name]
        mailbox = self._folder(picture, with_mail=False).mailbox
        begun = self._now
        self._commits.follow(self._path(account))
        acknowledged: dict[int, int] = {}

        async def one(messages: list[Incoming]) -> None:
            appended = await account.append(mailbox.id, messages)
            acknowledged[appended.modseq] = self._now
            self.journal.count("append at once")

        await asyncio.gather(*(one(self._messages(2, 1000)) for _ in range(self._random.randint(2, 5))))
        seen = self._commits.seen()
        await self._settled(account)
        after = self._pictures[account.id] = await picture_of(account)
        self._note_doubt(self.journal.accounts[account.id], begun, max(acknowledged.values()), failed=False)
        for at, modseq in enumerate(sorted(acknowledged)):
            visible = min(seen[at] if at < len(seen) else acknowledged[modseq], acknowledged[modseq])
            state = _until(after, mailbox, modseq)
            moment = Moment("append at once", begun, visible, acknowledged[modseq], True, state)
            self.journal.accounts[account.id].moments.append(moment)

    async def _store_flags(self) -> None:
        name, picture = self._any()
        folder = self._folder(picture, with_mail=True)
        uids, flags, how = self._some(folder), self._flags(), self._random.choice(list(FlagChange))
        await self._changed(
            name,
            "store flags",
            lambda account: account.store_flags(folder.mailbox.id, uids, how, flags),
            is_durable=self._limits.sync_flags,
        )

    async def _copy(self) -> None:
        name, picture = self._any()
        source, target = self._folder(picture, with_mail=True), self._folder(picture, with_mail=False)
        uids = self._some(source)
        if len(target.messages) > MOST_MESSAGES or not uids:
            return
        copied = target.mailbox.name
        await self._changed(name, "copy", lambda account: account.copy(source.mailbox.id, uids, copied))

    async def _move(self) -> None:
        name, picture = self._any()
        source, target = self._folder(picture, with_mail=True), self._folder(picture, with_mail=False)
        uids = self._some(source)
        if uids:
            moved = target.mailbox.name
            await self._changed(name, "move", lambda account: account.move(source.mailbox.id, uids, moved))

    async def _expunge(self) -> None:
        name, picture = self._any()
        folder = self._folder(picture, with_mail=True)
        await self._changed(name, "expunge", lambda account: account.expunge(folder.mailbox.id, None))

    async def _remove(self) -> None:
        name, picture = self._any()
        folder = self._folder(picture, with_mail=True)
        uids = self._some(folder)
        await self._changed(name, "remove", lambda account: account.remove(folder.mailbox.id, uids))

    async def _create(self) -> None:
        name, _ = self._any()
        wanted = self._random.choice(NAMES)
        await self._changed(name, "create", lambda account: account.create(wanted))

    async def _delete(self) -> None:
        name, _ = self._any()
        doomed = self._random.choice(NAMES)
        await self._changed(name, "delete", lambda account: account.delete(doomed))

    async def _rename(self) -> None:
        name, _ = self._any()
        old, new = self._random.choice((*NAMES, "INBOX")), self._random.choice(NAMES)
        await self._changed(name, "rename", lambda account: account.rename(old, new))

    async def _subscribe(self) -> None:
        name, _ = self._any()
        wanted = self._random.choice(NAMES)
        if self._random.random() < 0.5:
            await self._changed(name, "subscribe", lambda account: account.subscribe(wanted))
        else:
            await self._changed(name, "unsubscribe", lambda account: account.unsubscribe(wanted))

    async def _select(self) -> None:
        name, picture = self._any()
        wanted = self._folder(picture, with_mail=True).mailbox.name

        async def select(account: SqliteAccount) -> None:
            await account.select(wanted, claim_recent=True)

        await self._changed(name, "select", select, is_durable=False)

    async def _index(self) -> None:
        name, _ = self._any()
        await self._changed(name, "index", lambda account: account.indexer.finish(), is_durable=False)
        await self._changed(name, "tidy", lambda account: account.indexer.tidy(), is_durable=False)

    async def _compact(self) -> None:
        name, _ = self._any()
        await self._changed(name, "compact", lambda account: account.compact())

    async def _renew(self) -> None:
        name, _ = self._any()
        await self._changed(name, "renew", lambda account: account.renew())

    async def _checkpoint(self) -> None:
        name, _ = self._any()
        await self._changed(name, "checkpoint", lambda account: account.database.checkpoints.shrink_wal())

    async def _rest(self) -> None:
        """The files of an account are closed, as those of an idle one."""
        name, _ = self._any()
        # SQLite ignores a sync that fails while it closes a file; one of Python's VFS would be raised
        await self._changed(name, "close an idle file", lambda account: account.database.release(), may_fail=False)

    # Steps of the whole store

    async def _reopen(self) -> None:
        await self.close()
        self.journal.count("restart")
        await self.open()

    async def _add(self, name: str) -> None:
        assert self._store is not None
        begun = self._now
        entry = self._entries[name] = await self._store.directory.add(name, {"password": f"{name} {begun}"})
        self._note_names("add an account", begun)
        await self._open_account(name, entry)
        picture = self._pictures[entry.id] = await picture_of(self._accounts[name])
        history = self.journal.accounts[entry.id] = History()
        history.moments.append(Moment("add an account", begun, self._now, self._now, True, picture))

    async def _add_or_remove(self) -> None:
        assert self._store is not None
        if len(self._entries) < 4:
            await self._add(f"user-{uuid4()}")
            return
        name = self._random.choice(sorted(self._entries.keys() - {"linda"}))
        begun = self._now
        self._accounts.pop(name)
        await self._store.directory.remove(name)
        del self._entries[name]
        self._note_names("remove an account", begun)

    async def _set_password(self) -> None:
        assert self._store is not None
        name, _ = self._any()
        begun = self._now
        secret = f"{name} {begun}"
        self._entries[name] = await self._store.directory.set_secrets(name, {"password": secret})
        self._note_names("change a password", begun)

    async def _back_up(self) -> None:
        begun = self._now
        pictures = {name: self._pictures[account.id] for name, account in self._accounts.items()}
        backup, restored = f"backup{begun}", f"restored{begun}"
        await asyncio.to_thread(back_up_all, self._data, self._root / backup)
        now = self._now
        self.journal.copies.append(Copy(backup, begun, now, pictures, False))
        self.journal.count("back up")
        await asyncio.to_thread(restore_all, self._root / backup, self._root / restored)
        self.journal.copies.append(Copy(restored, now, self._now, pictures, True))
        self.journal.count("restore")

    async def make_pair(self) -> None:
        """Makes the server's own certificate."""
        pair = self_signed.pair_under(self._data / "tls", "mail.example.org", lambda path, text: None)
        self.journal.pair = self._now, pair.cert.read_bytes()
        self.journal.count("make a certificate")


def _until(picture: Picture, mailbox: Mailbox, modseq: int) -> Picture:
    """*picture* without the messages of *mailbox* that came after *modseq*."""
    folder = picture.folders[mailbox.name]
    messages = {uid: each for uid, each in folder.messages.items() if each.modseq <= modseq}
    box = replace(folder.mailbox, highestmodseq=type(folder.mailbox.highestmodseq)(modseq))
    folders = {**picture.folders, mailbox.name: replace(folder, mailbox=box, messages=messages)}
    return replace(picture, folders=folders, log=modseq)


_STEPS: dict[Callable[[Workload], Awaitable[None]], int] = {
    Workload._append: 14,
    Workload._append_large: 2,
    Workload._append_at_once: 6,
    Workload._store_flags: 14,
    Workload._copy: 6,
    Workload._move: 6,
    Workload._expunge: 5,
    Workload._remove: 5,
    Workload._create: 5,
    Workload._delete: 3,
    Workload._rename: 3,
    Workload._subscribe: 2,
    Workload._select: 3,
    Workload._index: 5,
    Workload._compact: 1,
    Workload._renew: 1,
    Workload._checkpoint: 3,
    Workload._rest: 5,
    Workload._reopen: 2,
    Workload._add_or_remove: 4,
    Workload._set_password: 2,
    Workload._back_up: 1,
}
