"""Taking over the mailboxes and messages of another server: which UIDVALIDITY and which UIDs may be kept.

No UID is ever given twice under the same UIDVALIDITY (RFC 9051 §2.3.1.1): a UID below a mailbox's UIDNEXT is left out,
whatever the other server says. An engine calls these functions inside its transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from mektup.store import texts
from mektup.store.adoption import Adopted, Adoption
from mektup.store.interface import Mailbox
from mektup.store.rules.counters import Box
from mektup.store.rules.mailbox_names import require_mailbox
from mektup.store.rules.mailbox_tree import Tree, create
from mektup.terms.errors import Code, Refused
from mektup.terms.limits import Limits
from mektup.terms.names import mailbox_key
from mektup.terms.numbers import MAX_UINT32, MailboxId, ModSeq, Uid, UidValidity
from mektup.terms.sets import NumberSet, Run, Uids

MOST_MODSEQ: Final = 2**60
"""An eighth of all modseqs (RFC 7162 §3.1)."""

SPARE_UIDVALIDITIES: Final = 2**24
"""How many must be left for the mailboxes that the account makes later, because each gets a higher one."""


class AdoptingTree(Tree, Protocol):
    """The mailboxes of an account while one of another server is taken over."""

    def renumber(self, mailbox: MailboxId, uidvalidity: UidValidity) -> None:
        """Gives a mailbox that has no message another UIDVALIDITY, and another ID. Its UIDs begin anew.

        It keeps its name, its special use, its access control list and its metadata. A session that has it open loses
        it, as if it was deleted, because UIDVALIDITY must not change during a session.
        """

    def with_special_use(self, special_use: str) -> Mailbox | None:
        """The mailbox that has that special use."""

    def set_special_use(self, mailbox: MailboxId, special_use: str | None) -> None:
        """Replaces the special use of a mailbox. No other one may have it."""


def adopt_mailbox(
    tree: AdoptingTree, name: str, uidvalidity: UidValidity | None, special_use: str | None, limits: Limits
) -> Mailbox:
    """Makes or finds the mailbox; see ``interface.Account.adopt_mailbox``."""
    name = mailbox_key(name)
    _require_adoptable(uidvalidity)
    there = tree.find(name)
    if there is None or not there.selectable:
        there = create(tree, name, None, limits, uidvalidity)
    elif uidvalidity not in (None, there.uidvalidity):
        assert uidvalidity is not None
        if there.messages:
            raise Refused(Code.CANNOT, texts.OTHER_UIDVALIDITY.of(name=name))
        tree.renumber(there.id, uidvalidity)
    _settle_special_use(tree, require_mailbox(tree.find(name)), special_use)
    return require_mailbox(tree.find(name))


def _require_adoptable(uidvalidity: UidValidity | None) -> None:
    if uidvalidity is not None and not 0 < uidvalidity <= MAX_UINT32 - SPARE_UIDVALIDITIES:
        raise Refused(Code.CANNOT, texts.STRANGE_UIDVALIDITY.of(number=uidvalidity))


def _settle_special_use(tree: AdoptingTree, mailbox: Mailbox, special_use: str | None) -> None:
    """Gives *mailbox* the special use if nobody has it, or only a mailbox that was never used."""
    if special_use is None or mailbox.special_use is not None:
        return
    holder = tree.with_special_use(special_use)
    if holder is not None and holder.uidnext > 1:
        return
    if holder is not None:
        tree.set_special_use(holder.id, None)
    tree.set_special_use(mailbox.id, special_use)


def require_uidnext(uidnext: int) -> None:
    """Raises Refused(LIMIT) for a UIDNEXT that leaves no UID for another message."""
    if uidnext > MAX_UINT32:
        raise Refused(Code.LIMIT, texts.NO_UIDS_LEFT)


def require_modseq(highestmodseq: int) -> None:
    """Raises Refused(CANNOT) for a HIGHESTMODSEQ that leaves too few modseqs for later changes."""
    if not 0 <= highestmodseq <= MOST_MODSEQ:
        raise Refused(Code.CANNOT, texts.STRANGE_MODSEQ.of(number=highestmodseq))


@dataclass(slots=True)
class Sorting:
    """Adopted messages, sorted by what becomes of them."""

    new: list[tuple[Uid, Adopted]]
    """Those to add, with their UIDs here, ascending."""
    keys: list[bytes]
    """Keys to remember: of all messages that are here now."""
    gaps: list[Run]
    """UIDs below the new UIDNEXT that no message gets."""
    there: list[Uid]
    other: list[Uid]
    gone: list[Uid]
    known: int

    def answer(self, box: Box, modseq: ModSeq) -> Adoption:
        """The answer of ``adopt``."""
        uids: Uids = NumberSet.of_sorted([uid for uid, _ in self.new])
        there, other, gone = (Uids.of(each) for each in (self.there, self.other, self.gone))
        return Adoption(box.uidvalidity, uids, self.known, there, other, gone, modseq)


def given_below(messages: Sequence[Adopted], uidnext: int) -> list[Uid]:
    """The UIDs of *messages* that the mailbox has given already, ascending: the engine looks up their digests."""
    return sorted({each.uid for each in messages if each.uid is not None and each.uid < uidnext})


def sort_out(box: Box, messages: Sequence[Adopted], known: Collection[bytes], digests: Mapping[Uid, bytes]) -> Sorting:
    """Decides for each of *messages*, and moves the UIDNEXT of *box*.

    *known*: the keys of *messages* that the mailbox remembers. *digests*: of the messages that have a UID of
    ``given_below``. Raises Refused(LIMIT).
    """
    found = Sorting([], [], [], [], [], [], 0)
    remembered, first = set(known), box.uidnext
    for message in messages:
        if message.key is not None and message.key in remembered:
            found.known += 1
            continue
        uid = Uid(box.uidnext) if message.uid is None else message.uid
        if uid >= box.uidnext:
            require_uidnext(uid + 1)
            if uid > box.uidnext:
                found.gaps.append((box.uidnext, uid - 1))
            box.uidnext = uid + 1
            found.new.append((uid, message))
        elif uid >= first or uid not in digests:
            (found.other if uid >= first else found.gone).append(uid)
            continue
        elif digests[uid] == message.incoming.arrival.digest:
            found.there.append(uid)
        else:
            found.other.append(uid)
            continue
        if message.key is not None:
            remembered.add(message.key)
            found.keys.append(message.key)
    return found


def recent_from(box: Box, uidnext_before: int) -> int:
    """The first UID that counts as \\Recent after an adoption.

    Adopted mail is not new to its owner, so it is not \\Recent; except where unclaimed messages come before it.
    """
    return box.uidnext if box.recent_from >= uidnext_before else box.recent_from
