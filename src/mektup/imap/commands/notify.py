"""NOTIFY (RFC 5465 §3.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mektup.imap import texts
from mektup.imap.sync import modseqs, news, updates
from mektup.imap.sync.interests import Interests
from mektup.imap.sync.notifications import Notifications
from mektup.terms.errors import Code, Refused
from mektup.terms.mailbox_events import SUPPORTED
from mektup.wire.fetch_items import Item
from mektup.wire.requests import Notify

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation


async def run(session: Conversation, request: Notify) -> None:
    """Replaces what the client is told without asking.

    Raises Refused(BADEVENT) for an event that is not supported, Refused(NOTIFICATIONOVERFLOW) for too many mailboxes;
    then the NOTIFY before stays.
    """
    if any(group.has_unknown or not group.events.issubset(SUPPORTED) for group in request.groups):
        raise Refused(Code.BADEVENT, texts.UNKNOWN_EVENTS)
    most = session.services.limits.notify_mailboxes
    if sum(len(group.source.names) for group in request.groups) > most:
        raise Refused(Code.NOTIFICATIONOVERFLOW, texts.TOO_MANY_WATCHED.of(most=most))
    interests = Interests(request.groups)
    if Item.MODSEQ in interests.selected.items:
        modseqs.use(session)
    assert session.account is not None
    new = Notifications(interests, session.account)
    try:
        if interests.are_of_others:
            await news.begin(session, new, status=request.status)
        if request.groups:
            # RFC 5465 §3.1: SET implies a NOOP, which tells everything that the NOTIFY before has held back
            await updates.catch_up(session, expunges=not session.expects_numbers)
    except Refused:
        new.close()
        raise
    session.notify(new)
