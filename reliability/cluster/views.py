"""A view that follows a mailbox by its changes, to be compared with one that is opened anew."""

from __future__ import annotations

from mektup.store.columns import Column
from mektup.store.interface import Account
from mektup.terms.numbers import MailboxId, ModSeq, Uid
from mektup.terms.sets import NumberSet, Uids
from reliability.cluster.journal import EVERY_UID


class View:
    """The UIDs and flags of a mailbox, as a client has them."""

    def __init__(self, account: Account, mailbox: MailboxId) -> None:
        self._account = account
        self._mailbox = mailbox
        self._modseq = ModSeq(0)
        self._uidnext = Uid(1)
        self.flags: dict[Uid, frozenset[str]] = {}

    async def open(self) -> None:
        """Reads everything."""
        name = next(each.name for each in await self._account.mailboxes() if each.id == self._mailbox)
        selection = await self._account.select(name, claim_recent=False)
        self._modseq, self._uidnext = selection.mailbox.highestmodseq, selection.mailbox.uidnext
        self.flags = await self._read(selection.uids)

    async def follow(self) -> None:
        """Reads what changed."""
        changes = await self._account.changes(
            self._mailbox,
            since=self._modseq,
            expunged_since=self._modseq,
            uidnext=self._uidnext,
            claim_recent=False,
        )
        for uid in [uid for uid in self.flags if uid in changes.expunged]:
            del self.flags[uid]
        self.flags |= await self._read(changes.arrived | changes.changed)
        self._modseq, self._uidnext = changes.modseq, changes.uidnext

    async def _read(self, uids: Uids) -> dict[Uid, frozenset[str]]:
        read: dict[Uid, frozenset[str]] = {}
        if uids:
            async for rows in self._account.fetch(self._mailbox, uids & EVERY_UID, (Column.FLAGS,)):
                for uid, word in rows:
                    read[uid] = frozenset(self._account.flag_names(word))
        return read


async def disagreements(old: View, account: Account, mailbox: MailboxId) -> list[str]:
    """How a view that followed differs from one that is opened now by *account*."""
    await old.follow()
    new = View(account, mailbox)
    await new.open()
    uids = sorted({uid for uid, flags in old.flags.items() ^ new.flags.items() if flags is not None})
    shown = NumberSet.of_sorted(uids) if uids else None
    return [f"a view that followed differs from a new one at {shown}"] if uids else []
