"""STORE (RFC 9051 §6.4.6), with UNCHANGEDSINCE of RFC 7162 §3.1.3."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mektup.imap import modseqs, updates
from mektup.imap.fetch_plan import Plan
from mektup.store.interface import FlagsStored
from mektup.terms.flags import FlagChange
from mektup.terms.numbers import ModSeq
from mektup.terms.sets import Uids
from mektup.wire import codes
from mektup.wire.fetch_items import Item
from mektup.wire.requests import Store

if TYPE_CHECKING:
    from mektup.imap.session import Session


async def run(session: Session, request: Store) -> bytes | None:
    """Changes flags and, unless it was to be silent, tells them. Raises Refused when read-only, or (LIMIT)."""
    view = session.selected
    view.check_writable()
    uids = view.resolve(request.numbers, by_uid=request.by_uid)
    since = None
    if request.unchanged_since is not None:
        since = ModSeq(request.unchanged_since)
        modseqs.use(session)
    stored = await session.mail.store_flags(
        view.mailbox, uids, request.change, frozenset(request.flags), unchanged_since=since
    )
    await _tell(session, request, uids, stored)
    if stored.failed:
        failed = stored.failed if request.by_uid else view.seqs(stored.failed)
        return b"%b Some had changed" % codes.modified(failed)
    return None


async def _tell(session: Session, request: Store, uids: Uids, stored: FlagsStored) -> None:
    view = session.selected
    conditional = request.unchanged_since is not None
    if not view.made(stored):
        show = uids if conditional or not request.silent else None
        await updates.tell(session, expunges=False, with_uid=request.by_uid, show=show)
        return
    if stored.changed and request.change is not FlagChange.REMOVE and view.learn(request.flags):
        updates.show_keywords(session, view)
    if not request.silent:
        if stored.flags is not None:
            updates.tell_flags(session, view, stored.flags, with_uid=request.by_uid)
        else:
            await updates.show_flags(session, view, uids - stored.failed, with_uid=request.by_uid)
    elif session.condstore:
        # RFC 7162 §3.1.3: a client that knows modseqs hears of the new ones; with UNCHANGEDSINCE, of all that passed
        passed = uids - stored.failed if conditional else stored.changed
        await Plan(session, view, (Item.UID, Item.MODSEQ)).answer(passed)
    if stored.failed:
        # RFC 7162 §3.1.3: it is RECOMMENDED to spare the client the question what they are now
        await updates.show_flags(session, view, stored.failed, with_uid=True)
