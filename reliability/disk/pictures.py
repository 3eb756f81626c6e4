"""Everything that a client can see of an account, read through the store's interface, as a value to compare."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b

from mektup.store.columns import Column
from mektup.store.interface import Account, Mailbox
from mektup.terms.numbers import ModSeq
from mektup.terms.sets import Uids

EVERYTHING: Uids = Uids.span(1, 2**32 - 1)


@dataclass(frozen=True, slots=True)
class Message:
    """One message."""

    flags: frozenset[str]
    internaldate: bytes
    digest: bytes
    """Of its octets."""
    modseq: int


@dataclass(frozen=True, slots=True)
class Folder:
    """One mailbox."""

    mailbox: Mailbox
    keywords: frozenset[str]
    messages: Mapping[int, Message]
    """By UID."""

    @property
    def key(self) -> tuple[str, int]:
        """Under which a client remembers its messages."""
        return self.mailbox.mailboxid, self.mailbox.uidvalidity

    def essence(self) -> object:
        """What a loss of power must not change."""
        box = self.mailbox
        seen = {uid: (each.flags, each.internaldate, each.digest) for uid, each in self.messages.items()}
        return self.key, box.name, box.special_use, box.selectable, seen


@dataclass(frozen=True, slots=True)
class Picture:
    """An account at one moment."""

    folders: Mapping[str, Folder]
    subscriptions: frozenset[str]
    log: int
    """The modseq up to which it knows the changes of mailboxes."""

    def essence(self) -> object:
        """What a loss of power must not change: all but the numbers that only grow."""
        return {name: folder.essence() for name, folder in self.folders.items()}, self.subscriptions

    @property
    def modseq(self) -> int:
        """The highest modseq of all mailboxes."""
        return max((folder.mailbox.highestmodseq for folder in self.folders.values()), default=0)


async def picture_of(account: Account) -> Picture:
    """Reads *account*. Raises AssertionError where two ways of reading disagree; Refused."""
    folders = {}
    for mailbox in await account.mailboxes():
        folders[mailbox.name] = await _folder(account, mailbox)
    log = (await account.mailbox_changes(ModSeq(0))).modseq
    return Picture(folders, await account.subscriptions(), log)


async def _folder(account: Account, mailbox: Mailbox) -> Folder:
    if not mailbox.selectable:
        return Folder(mailbox, frozenset(), {})
    selection = await account.select(mailbox.name, claim_recent=False)
    found: dict[int, Message] = {}
    columns = (Column.FLAGS, Column.MODSEQ, Column.INTERNALDATE, Column.SIZE, Column.CONTENT)
    async for rows in account.fetch(mailbox.id, EVERYTHING, columns):
        for uid, word, modseq, date, size, content in rows:
            octets = b"".join([piece async for piece in account.content(content, 0, size)])
            digest = blake2b(octets, digest_size=12).digest()
            found[uid] = Message(frozenset(account.flag_names(word)), date, digest, modseq)
    _recount(mailbox, selection.uids, found)
    return Folder(mailbox, frozenset(selection.keywords), found)


def _recount(mailbox: Mailbox, uids: Uids, found: Mapping[int, Message]) -> None:
    """Compares the counters with the messages. Raises AssertionError."""
    counted = (
        len(found),
        sum("\\Seen" not in each.flags for each in found.values()),
        sum("\\Deleted" in each.flags for each in found.values()),
    )
    told = (mailbox.messages, mailbox.unseen, mailbox.deleted)
    assert counted == told, f"{mailbox.name}: counters are {told}, a recount gives {counted}"
    assert list(uids) == sorted(found), f"{mailbox.name}: SELECT and FETCH have other messages"
    assert all(uid < mailbox.uidnext for uid in found), f"{mailbox.name}: a UID is not below UIDNEXT"
    assert all(each.modseq <= mailbox.highestmodseq for each in found.values()), f"{mailbox.name}: a modseq too high"
