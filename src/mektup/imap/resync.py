"""What a client that comes back to a mailbox missed: the answer to SELECT's QRESYNC parameter (RFC 7162 §3.2.5)."""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from mektup.imap import updates
from mektup.imap.fetch_plan import Plan
from mektup.imap.view import View
from mektup.store.interface import Mailbox
from mektup.terms.limits import MIB
from mektup.terms.numbers import AccountId, MailboxId, ModSeq
from mektup.terms.sets import NumberSet, Seqs, Uids
from mektup.wire.fetch_items import Item
from mektup.wire.requests import KnownState

if TYPE_CHECKING:
    from mektup.imap.session import ImapSession


ITEMS = (Item.UID, Item.FLAGS, Item.MODSEQ)

ANSWERS = 8
"""How many a process keeps, for clients on a bad line that ask the same until an answer comes through, and for the
devices that were last there together; that which was not used for longest goes."""

ANSWER_BYTES = 8 * MIB
"""The longest that is kept: of a mailbox of some 150,000 messages that were all changed."""

ANSWERS_BYTES = 16 * MIB
"""All that are kept, together."""

_ANSWERS: OrderedDict[tuple[AccountId, MailboxId, ModSeq, KnownState], bytes] = OrderedDict()
"""What was answered, by what was asked and the mailbox's HIGHESTMODSEQ then: while that stands, so does the answer."""


async def resync(session: ImapSession, mailbox: Mailbox, known: KnownState) -> None:
    """Tells what went and what changed since the state that the client has, VANISHED (EARLIER) before FETCH lines.

    Nothing where UIDVALIDITY is another, for then that state says nothing. *mailbox* is as the view shows it.
    """
    if known.uidvalidity != mailbox.uidvalidity or known.modseq == mailbox.highestmodseq:
        return
    account, peer = session.mail, session.peer
    key = (account.id, mailbox.id, mailbox.highestmodseq, known)
    # \Recent is for one session
    is_for_all = session.rev2 or not session.selected.recent
    if is_for_all and (answer := _ANSWERS.pop(key, None)) is not None:
        _ANSWERS[key] = answer
        session.write(answer)
        await peer.drain()
        return
    kept: list[bytes] = []
    octets = 0
    async for lines in _missed(session, mailbox, known):
        session.write(lines)
        octets += len(lines)
        if octets <= ANSWER_BYTES:
            kept.append(lines)
        await peer.drain()
    # what changed meanwhile may be in the answer
    if is_for_all and octets <= ANSWER_BYTES and await account.modseq(mailbox.id) == mailbox.highestmodseq:
        _ANSWERS[key] = b"".join(kept)
        while len(_ANSWERS) > ANSWERS or sum(map(len, _ANSWERS.values())) > ANSWERS_BYTES:
            _ANSWERS.popitem(last=False)


async def _missed(session: ImapSession, mailbox: Mailbox, known: KnownState) -> AsyncIterator[bytes]:
    view = session.selected
    # a modseq from the future: the account was brought back from a backup, and nothing the client has is certain
    since = ModSeq(known.modseq if known.modseq < mailbox.highestmodseq else 0)
    touched = await session.mail.touched(view.mailbox, since)
    uids: Uids = NumberSet.span(1, mailbox.uidnext - 1) if known.uids is None else known.uids
    # what went after the mailbox was opened is no EARLIER: it is in the view, and told later (RFC 7162 §3.2.10)
    gone = (touched.expunged & uids) - view.uids
    if gone and known.sample is not None:
        gone = gone - NumberSet.span(1, _agreed(view, *known.sample))
    for line in updates.vanished_lines(gone, earlier=True):
        yield line
    changed = touched.changed & uids & view.uids
    plan = Plan(session, view, ITEMS)
    if touched.flags is None:
        for some in plan.slices(changed):
            text = await plan.text(some)
            if text is not None:
                yield text
                continue
            async for rows in session.mail.fetch(view.mailbox, some, plan.columns):
                for lines in plan.lines(rows):
                    yield lines
    elif changed:
        for lines in plan.lines([row for row in touched.flags if row[0] in changed]):
            yield lines


def _agreed(view: View, seqs: Seqs, uids: Uids) -> int:
    """The highest of *uids* that still has its number, the same place in *seqs*; 0 where none has.

    RFC 7162 §3.2.5.2: of what is at or below it the client knows each expunge. Up to the first expunge that it does not
    know of every UID has its number, and none behind it has, so halving finds the place.
    """

    def moved(place: int) -> bool:
        uid = uids.nth(place + 1)
        return uid not in view.uids or view.seq(uid) != seqs.nth(place + 1)

    same = bisect_left(range(len(uids)), True, key=moved)
    return uids.nth(same) if same else 0
