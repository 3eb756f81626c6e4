"""FETCH and UID FETCH (RFC 9051 §6.4.5).

What is asked is planned first (``fetch_plan``): which columns, and how a row becomes a line. Then one query
brings the rows in slices, and each slice is one join of bytes.

Many clients read one message a command, and send the next ones without waiting. Those that ask the same of another
message are answered by one query, each with its own line and tagged answer.
"""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING

from mektup.imap import answers, modseqs, updates
from mektup.imap.fetch_plan import Plan, plan_for
from mektup.imap.pipelining import pipelined
from mektup.terms.errors import ClientError, Code, Refused
from mektup.terms.flags import FlagChange
from mektup.terms.numbers import ModSeq, Uid
from mektup.terms.sets import NumberSet, SequenceSet, Uids
from mektup.wire.fetch_items import FetchItem, Item
from mektup.wire.requests import Fetch

if TYPE_CHECKING:
    from mektup.imap.session import ImapSession
    from mektup.imap.view import View

SEEN = frozenset({"\\Seen"})

TOGETHER = 64
"""How many FETCHes that a client sent ahead are answered by one query."""


async def run(session: ImapSession, request: Fetch) -> bytes | None:
    """Tells what was asked of each message. Raises ClientError for sequence numbers beyond the mailbox."""
    view = session.selected
    if request.vanished and not session.qresync:
        raise ClientError("VANISHED needs ENABLE QRESYNC first")
    uids = view.resolve(request.numbers, by_uid=request.by_uid)
    items = _complete(session, request)
    if request.changed_since is not None:
        uids = await _changed(session, request, ModSeq(request.changed_since), uids)
    if not uids:
        return None
    plan = plan_for(session, view, items)
    if plan.marks_seen and not view.read_only:
        plan, marked = await _mark_seen(session, view, uids, plan)
        try:
            return await _answer(plan, uids)
        except Refused:
            if marked:
                view.owe(marked)  # they have \Seen now, and nothing may have been said of it
            raise
    elif _is_simple(request, uids) and (ahead := _pipelined(session, request)):
        return await _answer_together(session, plan, request.tag, uids.first, ahead)
    return await _answer(plan, uids)


async def _answer(plan: Plan, uids: Uids) -> bytes | None:
    if await plan.answer(uids) < len(uids):
        # RFC 5530 §3: the client asked for what somebody else removed, and will hear of it
        return b"[EXPUNGEISSUED] Some messages are gone"
    return None


def _complete(session: ImapSession, request: Fetch) -> tuple[FetchItem, ...]:
    """The items asked for, and those that come with them."""
    items = request.items
    if request.by_uid and Item.UID not in items:
        # RFC 9051 §6.4.9: UID FETCH always tells the UID
        items = (Item.UID, *items)
    if request.changed_since is not None or Item.MODSEQ in items:
        modseqs.use(session)
        if Item.MODSEQ not in items:
            # RFC 7162 §3.1.4.1: CHANGEDSINCE implies MODSEQ
            items = (*items, Item.MODSEQ)
    return items


def _is_simple(request: Fetch, uids: Uids) -> bool:
    # each answer of those with MODSEQ may have to tell HIGHESTMODSEQ
    return len(uids) == 1 and request.changed_since is None and Item.MODSEQ not in request.items


def _pipelined(session: ImapSession, request: Fetch) -> list[tuple[bytes, Uid]]:
    """The FETCHes that the client sent behind *request* as far as they ask the same of one message: tag and UID."""

    def asks_the_same(coming: Fetch, uids: Uids) -> bool:
        return coming.items == request.items and coming.by_uid == request.by_uid and _is_simple(coming, uids)

    return [
        (coming.tag, uids.first)
        for coming, uids in takewhile(lambda each: asks_the_same(*each), pipelined(session, Fetch, TOGETHER - 1))
    ]


async def _answer_together(
    session: ImapSession, plan: Plan, tag: bytes, uid: Uid, ahead: list[tuple[bytes, Uid]]
) -> bytes | None:
    """Answers the command under way, of *tag* about *uid*, and those *ahead* of which the lines could be held."""
    lines = await plan.lines_of(NumberSet.of([uid, *(other for _, other in ahead)]))
    if uid not in lines:
        return await _answer(plan, NumberSet.span(uid, uid))
    said = [lines[uid]]
    for next_tag, next_uid in ahead:
        line = lines.get(next_uid)
        if line is None:
            break
        session.take()
        said += (answers.ok(tag, b"FETCH completed"), line)
        session.tag = tag = next_tag
    await plan.say(b"".join(said))
    return None


async def _changed(session: ImapSession, request: Fetch, since: ModSeq, uids: Uids) -> Uids:
    """Those of *uids* that changed after *since*; tells, where VANISHED asks for it, which others are gone."""
    view = session.selected
    touched = await session.mail.touched(view.mailbox, since)
    if request.vanished and isinstance(request.numbers, SequenceSet):
        # the largest UID there was, for a client may ask for 1:* when the last message is what is gone
        asked: Uids = NumberSet(request.numbers.resolve(view.uidnext - 1).runs)
        # what is gone but not told yet is no EARLIER (RFC 7162 §3.2.10)
        await updates.tell_vanished(session, (touched.expunged & asked) - view.uids, earlier=True)
    return uids & touched.changed


async def _mark_seen(session: ImapSession, view: View, uids: Uids, plan: Plan) -> tuple[Plan, Uids]:
    """Sets \\Seen; the plan that has the answer tell it where it was not set before (RFC 9051 §6.4.5)."""
    try:
        stored = await session.mail.store_flags(view.mailbox, uids, FlagChange.ADD, SEEN)
    except Refused as refusal:
        if refusal.code is Code.NONEXISTENT:
            raise
        return plan, NumberSet()  # the disk is full, or another process writes for long: mail is read all the same
    if not stored.changed:
        return plan, NumberSet()
    view.made(stored)
    # RFC 7162 §3.2.4: to a client that knows modseqs, a flag that FETCH sets is told as any change is
    due = (Item.UID, Item.FLAGS, Item.MODSEQ) if session.condstore else (Item.FLAGS,)
    plan = Plan(session, view, (*plan.items, *(item for item in due if item not in plan.items)))
    return plan, stored.changed
