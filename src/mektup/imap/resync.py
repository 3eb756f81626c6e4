"""The answer to SELECT's QRESYNC parameter: what a returning client missed (RFC 7162 §3.2.5)."""

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
    from mektup.imap.conversation import Conversation


ITEMS = (Item.UID, Item.FLAGS, Item.MODSEQ)

ANSWERS = 8
"""How many answers a process keeps; the least recently used goes first. Clients on a bad connection repeat a request
until its answer comes through, and devices that disconnected together send the same request."""

ANSWER_BYTES = 8 * MIB
"""The longest answer that is kept: for some 150,000 changed messages."""

ANSWERS_BYTES = 16 * MIB
"""The most octets of all kept answers together."""

_ANSWERS: OrderedDict[tuple[AccountId, MailboxId, ModSeq, KnownState], bytes] = OrderedDict()
"""Answers by request and HIGHESTMODSEQ: an answer is valid while the mailbox has that HIGHESTMODSEQ."""


async def resync(session: Conversation, mailbox: Mailbox, known: KnownState) -> None:
    """Tells what was expunged and changed since *known*: VANISHED (EARLIER), then FETCH lines.

    Tells nothing if UIDVALIDITY differs, because *known* is then void. *mailbox* is as the view shows it.
    """
    if known.uidvalidity != mailbox.uidvalidity or known.modseq == mailbox.highestmodseq:
        return
    account, peer = session.mail, session.peer
    key = (account.id, mailbox.id, mailbox.highestmodseq, known)
    # \Recent differs between sessions, so such an answer is not shared
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
    # an answer that took in a change made meanwhile must not be kept
    if is_for_all and octets <= ANSWER_BYTES and await account.modseq(mailbox.id) == mailbox.highestmodseq:
        _ANSWERS[key] = b"".join(kept)
        while len(_ANSWERS) > ANSWERS or sum(map(len, _ANSWERS.values())) > ANSWERS_BYTES:
            _ANSWERS.popitem(last=False)


async def _missed(session: Conversation, mailbox: Mailbox, known: KnownState) -> AsyncIterator[bytes]:
    view = session.selected
    # a modseq from the future: the account was restored from a backup, so nothing that the client knows is certain
    since = ModSeq(known.modseq if known.modseq < mailbox.highestmodseq else 0)
    touched = await session.mail.touched(view.mailbox, since)
    uids: Uids = NumberSet.span(1, mailbox.uidnext - 1) if known.uids is None else known.uids
    # expunges after the mailbox was opened are not EARLIER: they are in the view, and told later (RFC 7162 §3.2.10)
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
    """The highest of *uids* that still has the sequence number at the same position of *seqs*; 0 if none has.

    The client knows every expunge at or below this UID (RFC 7162 §3.2.5.2). UIDs before the first expunge that it does
    not know have kept their numbers, and UIDs behind it have not. So a binary search finds the position.
    """

    def moved(place: int) -> bool:
        uid = uids.nth(place + 1)
        return uid not in view.uids or view.seq(uid) != seqs.nth(place + 1)

    same = bisect_left(range(len(uids)), True, key=moved)
    return uids.nth(same) if same else 0
