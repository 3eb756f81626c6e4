"""FETCH and UID FETCH (RFC 9051 §6.4.5).

What is asked is planned first (``fetch_plan``): which columns, and how a row becomes a line. Then one query
brings the rows in slices, and each slice is one join of bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mektup.imap.fetch_plan import Plan
from mektup.terms.flags import FlagChange
from mektup.terms.search import ChangedSince
from mektup.terms.sets import Uids
from mektup.wire.fetch_items import Binary, BodySection, FetchItem, Item
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
    items = await _mark_seen(session, view, uids, items)
    plan = Plan(session, view, items)
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


async def _mark_seen(session: Session, view: View, uids: Uids, items: tuple[FetchItem, ...]) -> tuple[FetchItem, ...]:
    """Sets \\Seen where a body is read without PEEK, and has the answer tell it (RFC 9051 §6.4.5)."""
    if view.read_only or not any(isinstance(item, BodySection | Binary) and not item.peek for item in items):
        return items
    stored = await session.mail.store_flags(view.mailbox, uids, FlagChange.ADD, SEEN)
    if not stored.changed:
        return items
    view.silent.add(stored.modseq)
    extra = [item for item in (Item.FLAGS, Item.MODSEQ) if item not in items]
    return (*items, *(item for item in extra if item is Item.FLAGS or session.condstore))
