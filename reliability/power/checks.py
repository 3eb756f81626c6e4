"""Opens a data directory after a loss of power, and holds it against the journal."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import TypeVar, cast

import apsw

from mektup.server import self_signed
from mektup.store.faults import Fault
from mektup.store.interface import Mailbox
from mektup.store.mailbox_changes import LoggedMailbox
from mektup.store.sqlite import open_store, restore_all
from mektup.store.sqlite.account import SqliteAccount
from mektup.store.sqlite.store import SqliteStore
from mektup.terms.limits import Limits
from mektup.terms.numbers import ModSeq
from mektup.terms.search import InText, Or, SearchKey
from reliability.disk.pictures import EVERYTHING, Folder, Picture, picture_of
from reliability.power.journal import DATA, Copy, History, Journal, Moment
from reliability.power.mail import WORDS, incoming

S = TypeVar("S")

_ANY_WORD = reduce(lambda key, word: Or(key, InText(word)), WORDS[1:], cast("SearchKey", InText(WORDS[0])))
"""What each message has."""

NEAR = 40
"""How many events after a copy was acknowledged it is looked at in each state; later, in one of eight."""

_KEPT = re.compile(r"\.db(\.v\d+)?$")
"""An account's file, and that of before an upgrade."""

CLIENTS = 4
"""How many of the last states that a client may have seen are resynchronised."""


class Lost(Exception):
    """A promise was broken."""


class Book:
    """Takes the store's faults; there must be none."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def happened(self, fault: Fault) -> None:
        """See ``store.faults.Faults``."""
        self.faults.append(fault)


class Checks:
    """The checks of one state of the disk."""

    def __init__(self, root: Path, journal: Journal, limits: Limits, compression: int | None) -> None:
        """*root* has the state."""
        self._root = root
        self._journal = journal
        self._limits = limits
        self._compression = compression
        self.operations = 0
        """The acknowledged operations that were found."""

    async def check(self, point: int) -> None:
        """Holds the state against the journal at the event *point*. Raises Lost, or what the store raises."""
        await self._check_store(point)
        for copy in self._journal.copies:
            if copy.begun < point < (copy.acknowledged or point) + NEAR or (copy.begun < point and point % 8 == 0):
                await self._check_copy(copy, point)
        self._check_pair(point)

    # The data directory

    async def _check_store(self, point: int) -> None:
        book = Book()
        data = self._root / DATA
        store = await open_store(data, limits=self._limits, compression=self._compression, faults=book)
        try:
            await self._check_open(store, point)
        finally:
            await store.close()
        if book.faults:
            raise Lost(f"faults were reported: {book.faults}")
        for file in data.rglob("*.db"):
            _check_integrity(file)
        self._check_no_rest(data)

    def _check_no_rest(self, data: Path) -> None:
        """No file is left that nobody knows. (A first start that is cut may leave an unfinished ``mektup.db.*``.)"""
        known = {str(account) for account in self._journal.accounts}
        for path in (data / "accounts").rglob("*"):
            if path.is_file() and not (path.stem.split(".")[0] in known and _KEPT.search(path.name)):
                raise Lost(f"left after closing: {path.name}")

    async def _check_open(self, store: SqliteStore, point: int) -> None:
        tidied = await store.tidy()
        if tidied.strangers:
            raise Lost(f"files of no account: {tidied.strangers}")
        entries = await store.directory.entries("", 100)
        names = {entry.name: (entry.id, entry.secrets["password"]) for entry in entries}
        at = _found("the directory", self._journal.names, point, names, lambda state: state)
        self.operations += at
        for entry in entries:
            await self._check_account(await store.account(entry), self._journal.accounts[entry.id], point)

    async def _check_account(self, account: SqliteAccount, history: History[Picture], point: int) -> None:
        picture = await picture_of(account)
        if not history.is_doubtful(point):
            self.operations += _found(account.name, history, point, picture, Picture.essence)
        seen = list(history.seen(point))
        _check_numbers(account.name, seen, picture)
        for moment in seen[-CLIENTS:]:
            await _resynchronise(account, moment.state, picture)
            await _follow_log(account, moment.state, picture)
        await self._check_search(account, picture)
        await self._append(account, picture, seen)

    async def _check_search(self, account: SqliteAccount, picture: Picture) -> None:
        for folder in picture.folders.values():
            if not folder.messages:
                continue
            found = (await account.search(folder.mailbox.id, _ANY_WORD, EVERYTHING)).uids
            if set(found) != folder.messages.keys():
                raise Lost(f"{account.name}, {folder.mailbox.name}: SEARCH found {sorted(found)}")

    async def _append(self, account: SqliteAccount, picture: Picture, seen: Sequence[Moment[Picture]]) -> None:
        """A new message gets numbers that nobody has seen."""
        inbox = picture.folders["INBOX"]
        message = incoming(0, 0, frozenset({"$New"}), self._limits)
        appended = await account.append(inbox.mailbox.id, [message])
        (uid,) = appended.uids
        highest = max((moment.state.modseq for moment in seen), default=0)
        if appended.modseq <= max(highest, picture.modseq):
            raise Lost(f"{account.name}: a new message has the modseq {appended.modseq}, {highest} was seen")
        if any(uid in folder.messages for folder in _same(inbox, seen)):
            raise Lost(f"{account.name}: a new message has the UID {uid}, which was seen before")

    # Copies and the certificate

    async def _check_copy(self, copy: Copy, point: int) -> None:
        is_promised = copy.acknowledged is not None and copy.acknowledged <= point
        directory = self._root / copy.path
        if not (directory / "mektup.db").exists():
            if is_promised:
                raise Lost(f"{copy.path} is gone")
            return
        if not copy.is_restored:
            restored = self._root / f"{copy.path}.restored"
            restore_all(directory, restored)
            directory = restored
        store = await open_store(directory, limits=self._limits)
        try:
            await self._compare(copy, store)
        finally:
            await store.close()
        self.operations += 1

    async def _compare(self, copy: Copy, store: SqliteStore) -> None:
        entries = {entry.name: entry for entry in await store.directory.entries("", 100)}
        if entries.keys() != copy.pictures.keys():
            raise Lost(f"{copy.path} has the accounts {sorted(entries)}")
        for name, entry in entries.items():
            picture = await picture_of(await store.account(entry))
            if _mail(picture) != _mail(copy.pictures[name]):
                raise Lost(f"{copy.path}: the mail of {name} is not what was backed up")
            validities = {folder.key for folder in picture.folders.values()}
            if validities & {folder.key for folder in copy.pictures[name].folders.values()}:
                raise Lost(f"{copy.path}: {name} has a UIDVALIDITY from before")

    def _check_pair(self, point: int) -> None:
        made: list[object] = []
        pair = self_signed.pair_under(self._root / DATA / "tls", "mail.example.org", lambda *why: made.append(why))
        if self._journal.pair is None or self._journal.pair[0] > point:
            return
        if made or pair.cert.read_bytes() != self._journal.pair[1]:
            raise Lost(f"the certificate is another one: {made}")
        self.operations += 1


def _found(what: str, history: History[S], point: int, state: S, essence: Callable[[S], object]) -> int:
    """The number of acknowledged changes up to *state*. Raises Lost where it is none of the possible ones."""
    possible = history.possible(point)
    wanted = essence(state)
    for moment in reversed(possible):
        if essence(moment.state) == wanted:
            return sum(1 for each in history.moments if each.acknowledged <= point)
    near = difference(essence(possible[0].state), wanted) if possible else "nothing was possible"
    raise Lost(f"{what} is not as after any of {[moment.what for moment in possible]}: {near}")


def difference(wanted: object, found: object) -> str:
    """The parts of two states that differ, in words for a person."""
    if isinstance(wanted, tuple) and isinstance(found, tuple) and len(wanted) == len(found):
        return "; ".join(difference(*pair) for pair in zip(wanted, found, strict=True) if pair[0] != pair[1])
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        keys = [key for key in {**wanted, **found} if wanted.get(key) != found.get(key)]
        return "; ".join(f"{key}: {difference(wanted.get(key), found.get(key))}" for key in keys)
    return f"{wanted!r} became {found!r}"


def _same(folder: Folder, seen: Sequence[Moment[Picture]]) -> list[Folder]:
    """The earlier states of *folder*, by whatever name."""
    return [each for moment in seen for each in moment.state.folders.values() if each.key == folder.key]


def _check_numbers(name: str, seen: Sequence[Moment[Picture]], picture: Picture) -> None:
    """A UID means the same message as ever, and no number goes back."""
    for folder in picture.folders.values():
        for before in _same(folder, seen):
            for uid, message in before.messages.items():
                now = folder.messages.get(uid)
                if now is not None and now.digest != message.digest:
                    raise Lost(f"{name}, {folder.mailbox.name}: UID {uid} was given to another message")
            if folder.mailbox.uidnext < before.mailbox.uidnext:
                raise Lost(f"{name}, {folder.mailbox.name}: UIDNEXT went back")
            if folder.mailbox.highestmodseq < before.mailbox.highestmodseq:
                raise Lost(f"{name}, {folder.mailbox.name}: HIGHESTMODSEQ went back")


async def _resynchronise(account: SqliteAccount, before: Picture, now: Picture) -> None:
    """A client that has seen *before* asks what changed since (QRESYNC), and then knows what there is."""
    for folder in now.folders.values():
        for old in before.folders.values():
            if old.key != folder.key or not folder.mailbox.selectable:
                continue
            touched = await account.touched(folder.mailbox.id, ModSeq(old.mailbox.highestmodseq))
            known = {uid: each.flags for uid, each in old.messages.items() if uid not in touched.expunged}
            known |= {uid: folder.messages[uid].flags for uid in touched.changed}
            if known != {uid: each.flags for uid, each in folder.messages.items()}:
                raise Lost(
                    f"{account.name}, {folder.mailbox.name}: QRESYNC from {old.mailbox.highestmodseq} misses something"
                )


async def _follow_log(account: SqliteAccount, before: Picture, now: Picture) -> None:
    """A client that knows the mailboxes of *before* asks for the changes since, and then knows those of *now*."""
    changes = await account.mailbox_changes(ModSeq(before.log))
    known = {} if changes.whole else {folder.mailbox.id: _logged(folder.mailbox) for folder in before.folders.values()}
    for gone in changes.gone:
        known.pop(gone.id, None)
    known |= {each.id: _logged(each) for each in changes.mailboxes}
    if known != {folder.mailbox.id: _logged(folder.mailbox) for folder in now.folders.values()}:
        raise Lost(f"{account.name}: the log of mailboxes misses something since {before.log}")
    names = set() if changes.whole else set(before.subscriptions)
    names -= {each.name for each in changes.subscriptions if not each.subscribed}
    if names | {each.name for each in changes.subscriptions if each.subscribed} != now.subscriptions:
        raise Lost(f"{account.name}: the log of subscriptions misses something since {before.log}")


def _logged(mailbox: Mailbox | LoggedMailbox) -> object:
    return mailbox.name, mailbox.uidvalidity, mailbox.mailboxid, mailbox.special_use, mailbox.selectable


def _mail(picture: Picture) -> object:
    """The mail of an account without the numbers, which a restore changes."""
    return {
        name: [(uid, each.flags, each.digest) for uid, each in sorted(folder.messages.items())]
        for name, folder in picture.folders.items()
    }


def _check_integrity(file: Path) -> None:
    connection = apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        found = connection.pragma("integrity_check")
        references = connection.execute("PRAGMA foreign_key_check").fetchall()
    finally:
        connection.close()
    if found != "ok" or references:
        raise Lost(f"{file.name}: {found} {references}")
