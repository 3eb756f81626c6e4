"""FETCH and UID FETCH (RFC 9051 §6.4.5).

What is asked is planned first (``fetch_plan``): which columns, and how a row becomes a line. Then one query
brings the rows in slices, and each slice is one join of bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mektup.imap.fetch_plan import Plan, plan_for
from mektup.terms.flags import FlagChange
from mektup.terms.search import ChangedSince
from mektup.terms.sets import Uids
from mektup.wire.fetch_items import FetchItem, Item
from mektup.wire.requests import Fetch

if TYPE_CHECKING:
    from mektup.imap.session import Session
    from mektup.imap.view import View

DRAIN_BYTES = 64 * 1024
"""How much of an answer is queued before the session waits for the client to take it."""

SEEN = frozenset({"\\Seen"})


async def run(session: Session, request: Fetch) -> bytes | None:
    """Tells what was asked of each message. Raises ClientError for sequence numbers beyond the mailbox."""
    view, account = session.selected, session.mail
    uids = view.resolve(request.numbers, by_uid=request.by_uid)
    items = _complete(session, request)
    if request.changed_since is not None:
        uids = await account.search(view.mailbox, ChangedSince(request.changed_since + 1), uids)
    if not uids:
        return None
    plan = plan_for(session, view, items)
    if plan.marks_seen and not view.read_only:
        plan = await _mark_seen(session, view, uids, plan)
    found = queued = 0
    async for rows in account.fetch(view.mailbox, uids, plan.columns):
        found += len(rows)
        queued += await plan.write(rows)
        if queued > DRAIN_BYTES:
            await session.peer.drain()
            queued = 0
    if found < len(uids):
        # RFC 5530 §3: the client asked for what somebody else removed, and will hear of it
        return b"[EXPUNGEISSUED] Some messages are gone"
    return None


def _complete(session: Session, request: Fetch) -> tuple[FetchItem, ...]:
    """The items asked for, and those that come with them."""
    items = request.items
    if request.by_uid and Item.UID not in items:
        # RFC 9051 §6.4.9: UID FETCH always tells the UID
        items = (Item.UID, *items)
    if request.changed_since is not None or Item.MODSEQ in items:
        session.condstore = True
        if Item.MODSEQ not in items:
            # RFC 7162 §3.1.4.1: CHANGEDSINCE implies MODSEQ
            items = (*items, Item.MODSEQ)
    return items


async def _mark_seen(session: Session, view: View, uids: Uids, plan: Plan) -> Plan:
    """Sets \\Seen; the plan that has the answer tell it where it was not set before (RFC 9051 §6.4.5)."""
    stored = await session.mail.store_flags(view.mailbox, uids, FlagChange.ADD, SEEN)
    if not stored.changed:
        return plan
    view.made(stored)
    due = (Item.FLAGS, Item.MODSEQ) if session.condstore else (Item.FLAGS,)
    return Plan(session, view, (*plan.items, *(item for item in due if item not in plan.items)))
