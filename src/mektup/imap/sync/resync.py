"""The answer to SELECT's QRESYNC parameter: what a returning client missed (RFC 7162 §3.2.5)."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from mektup.imap.fetch.lines import telling_uid
from mektup.imap.fetch.plan import Plan
from mektup.imap.sync import updates
from mektup.imap.sync.view import View
from mektup.store.interface import Mailbox
from mektup.terms.numbers import ModSeq
from mektup.terms.sets import NumberSet, Seqs, Uids
from mektup.wire.fetch_items import Item
from mektup.wire.requests import KnownState

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation


async def resync(session: Conversation, mailbox: Mailbox, known: KnownState) -> None:
    """Tells what was expunged and changed since *known*: VANISHED (EARLIER), then FETCH lines.

    Tells nothing if UIDVALIDITY differs, because *known* is then void. *mailbox* is as the view shows it.
    """
    if known.uidvalidity != mailbox.uidvalidity or known.modseq == mailbox.highestmodseq:
        return
    view = session.selected
    # a modseq from the future: the account was restored from a backup, so nothing that the client knows is certain
    since = ModSeq(known.modseq if known.modseq < mailbox.highestmodseq else 0)
    touched = await view.account.touched(view.mailbox, since)
    uids: Uids = NumberSet.span(1, mailbox.uidnext - 1) if known.uids is None else known.uids
    # expunges after the mailbox was opened are not EARLIER: they are in the view, and told later (RFC 7162 §3.2.10)
    gone = (touched.expunged & uids) - view.uids
    if gone and known.sample is not None:
        gone = gone - NumberSet.span(1, _agreed(view, *known.sample))
    await updates.tell_vanished(session, gone, earlier=True)
    changed = touched.changed & uids & view.uids
    if not changed:
        return
    plan = Plan(session, view, telling_uid(session.client, (Item.FLAGS, Item.MODSEQ)))
    if touched.flags is None:
        await plan.answer(changed)
    else:
        for lines in plan.lines([row for row in touched.flags if row[0] in changed]):
            await plan.send(lines)


def _agreed(view: View, seqs: Seqs, uids: Uids) -> int:
    """The highest of *uids* that still has the sequence number at the same position of *seqs*; 0 if none has.

    The client knows every expunge at or below this UID (RFC 7162 §3.2.5.2). UIDs before the first expunge that it does
    not know have kept their numbers, and UIDs behind it have not. So a binary search finds the position.
    """

    def moved(place: int) -> bool:
        uid = uids.nth(place + 1)
        return uid not in view.uids or view.seq(uid) != seqs.nth(place + 1)

    same = bisect_left(range(len(uids)), True, key=moved)
    return uids.nth(same) if same else 0
