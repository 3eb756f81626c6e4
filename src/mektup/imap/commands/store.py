"""STORE (RFC 9051 §6.4.6), with UNCHANGEDSINCE of RFC 7162 §3.1.3."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mektup.imap import updates
from mektup.imap.view import View
from mektup.store.interface import FlagsStored
from mektup.terms.numbers import ModSeq
from mektup.wire import codes
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
        session.condstore = True
    stored = await session.mail.store_flags(
        view.mailbox, uids, request.change, frozenset(request.flags), unchanged_since=since
    )
    # RFC 7162 §3.1.3: a client that knows modseqs hears of the new ones, .SILENT or not
    if request.silent and not session.condstore:
        _keep_silent(view, stored)
    elif not request.silent or stored.changed:
        show = uids - stored.failed if not request.silent else stored.changed
        await updates.tell(session, expunges=request.by_uid, with_uid=request.by_uid, show=show)
    if stored.failed:
        failed = stored.failed if request.by_uid else view.seqs(stored.failed)
        return b"%b Some had changed" % codes.modified(failed)
    return None


def _keep_silent(view: View, stored: FlagsStored) -> None:
    # where somebody else changed something just before, the client must see what came of both
    if stored.changed and stored.previous == view.modseq:
        view.silent.add(stored.modseq)
