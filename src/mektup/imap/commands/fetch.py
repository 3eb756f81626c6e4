"""FETCH and UID FETCH (RFC 9051 §6.4.5).

A plan comes first (``fetch.plan``): which columns are needed, and how a row becomes a line. Then one query returns the
rows in slices, and each slice is one join of bytes.

Many clients fetch one message per command, and pipeline these commands. One query answers those that ask for the same
items; each gets its own line and tagged answer.
"""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING

from mektup.imap import message_limit, texts
from mektup.imap.answers import Answer
from mektup.imap.fetch.lines import telling_uid
from mektup.imap.fetch.plan import Plan, plan_for
from mektup.imap.pipelining import pipelined
from mektup.imap.sync import modseqs, updates
from mektup.terms.errors import ClientError, Code, Refused
from mektup.terms.flags import FlagChange
from mektup.terms.numbers import ModSeq, Uid
from mektup.terms.sets import NumberSet, SequenceSet, Uids
from mektup.wire import codes
from mektup.wire.fetch_items import FetchItem, Item
from mektup.wire.requests import Fetch

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation
    from mektup.imap.sync.view import View

SEEN = frozenset({"\\Seen"})

SOME_GONE = Answer(codes.word(Code.EXPUNGEISSUED), texts.SOME_GONE)

TOGETHER = 64
"""The most pipelined FETCHes that one query answers."""


async def run(session: Conversation, request: Fetch) -> Answer | None:
    """Writes the items of each message. Raises ClientError for sequence numbers beyond the mailbox."""
    view = session.selected
    if request.vanished and not session.client.qresync:
        raise ClientError(texts.VANISHED_NEEDS_QRESYNC)
    uids = view.resolve(request.numbers, by_uid=request.by_uid)
    items = _complete(session, request)
    if request.changed_since is not None:
        uids = await _changed(session, request, ModSeq(request.changed_since), uids)
    if request.page is not None:
        message_limit.require_few(session, request.page.size)
        # RFC 9394 §3.4: a page of the messages that CHANGEDSINCE leaves
        uids = request.page.of_set(uids)
    if not uids:
        return None
    done = message_limit.processed(session, uids)
    if done is uids:
        return await _fetch(session, request, items, uids)
    return message_limit.told(session, uids, done, await _fetch(session, request, items, done, downwards=True))


async def _fetch(
    session: Conversation, request: Fetch, items: tuple[FetchItem, ...], uids: Uids, *, downwards: bool = False
) -> Answer | None:
    """Writes *items* of *uids*, which are not empty; *downwards*: the highest message first."""
    view = session.selected
    plan = plan_for(session, view, items)
    if plan.marks_seen and not view.read_only and "s" in view.rights:
        plan, marked = await _mark_seen(session, view, uids, plan)
        try:
            return await _answer(session, plan, uids, downwards=downwards)
        except Refused:
            if marked:
                updates.tell_later(view, marked)  # they have \Seen now, and the client may not have been told
            raise
    elif _is_simple(request, uids) and (ahead := _pipelined(session, request)):
        return await _answer_together(session, plan, uids.first, ahead)
    return await _answer(session, plan, uids, downwards=downwards)


async def _answer(session: Conversation, plan: Plan, uids: Uids, *, downwards: bool = False) -> Answer | None:
    found = await (plan.answer_downwards(uids) if downwards else plan.answer(uids))
    session.fetched += found
    if found < len(uids):
        # RFC 5530 §3: another session removed messages, and the client is told of that later
        return SOME_GONE
    return None


def _complete(session: Conversation, request: Fetch) -> tuple[FetchItem, ...]:
    """The requested items, and those that they imply."""
    items = request.items
    if request.by_uid:
        # RFC 9051 §6.4.9: UID FETCH always tells the UID
        items = telling_uid(session.client, items)
    if request.changed_since is not None or Item.MODSEQ in items:
        modseqs.use(session)
        if Item.MODSEQ not in items:
            # RFC 7162 §3.1.4.1: CHANGEDSINCE implies MODSEQ
            items = (*items, Item.MODSEQ)
    return items


def _is_simple(request: Fetch, uids: Uids) -> bool:
    # not with MODSEQ: each tagged answer may have to tell HIGHESTMODSEQ
    single = len(uids) == 1 and request.changed_since is None and request.page is None
    return single and Item.MODSEQ not in request.items


def _pipelined(session: Conversation, request: Fetch) -> list[tuple[Fetch, Uid]]:
    """The pipelined FETCHes that ask for the same items of one message, up to one that does not."""

    def asks_the_same(coming: Fetch, uids: Uids) -> bool:
        return coming.items == request.items and coming.by_uid == request.by_uid and _is_simple(coming, uids)

    return [
        (coming, uids.first)
        for coming, uids in takewhile(lambda each: asks_the_same(*each), pipelined(session, Fetch, TOGETHER - 1))
    ]


async def _answer_together(
    session: Conversation, plan: Plan, uid: Uid, ahead: list[tuple[Fetch, Uid]]
) -> Answer | None:
    """Answers the current command, for *uid*, and those of *ahead* whose lines could be held."""
    lines = await plan.lines_of(NumberSet.of([uid, *(other for _, other in ahead)]))
    if uid not in lines:
        return await _answer(session, plan, NumberSet.span(uid, uid))
    write, go_on = session.peer.write, session.go_on
    write(lines[uid])
    session.fetched += len(lines)
    for coming, next_uid in ahead:
        line = lines.get(next_uid)
        if line is None:
            break
        go_on(coming)
        write(line)
    await session.give_way()
    return None


async def _changed(session: Conversation, request: Fetch, since: ModSeq, uids: Uids) -> Uids:
    """Those of *uids* that changed after *since*. With VANISHED, tells which messages are gone."""
    view = session.selected
    touched = await view.account.touched(view.mailbox, since)
    if request.vanished and isinstance(request.numbers, SequenceSet):
        # ``*`` is the largest UID there ever was: a client may ask for 1:* when the last message is gone
        asked: Uids = NumberSet(request.numbers.resolve(view.uidnext - 1).runs)
        # expunges that are not told yet are not EARLIER (RFC 7162 §3.2.10)
        await updates.tell_vanished(session, (touched.expunged & asked) - view.uids, earlier=True)
    return uids & touched.changed


async def _mark_seen(session: Conversation, view: View, uids: Uids, plan: Plan) -> tuple[Plan, Uids]:
    """Sets \\Seen. Returns a plan that tells the flags if any changed (RFC 9051 §6.4.5), and the UIDs that changed."""
    try:
        stored = await view.account.store_flags(view.mailbox, uids, FlagChange.ADD, SEEN)
    except Refused as refusal:
        if refusal.code is Code.NONEXISTENT:
            raise
        return plan, NumberSet()  # the disk is full, or another process writes for long: mail can be read nevertheless
    if not stored.changed:
        return plan, NumberSet()
    updates.follow(view, stored)
    # RFC 7162 §3.2.4: a client that knows modseqs is told of a flag that FETCH sets as of any other change
    due: tuple[FetchItem, ...] = (Item.FLAGS,)
    if session.client.condstore:
        due = telling_uid(session.client, (Item.FLAGS, Item.MODSEQ))
    plan = Plan(session, view, (*plan.items, *(item for item in due if item not in plan.items)))
    return plan, stored.changed
