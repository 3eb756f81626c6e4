"""DELETE (RFC 9051 §6.3.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mektup.imap import access, texts
from mektup.imap.answers import untagged_ok
from mektup.imap.list_line import normal_name
from mektup.terms.names import PAST, mailbox_key
from mektup.wire import codes
from mektup.wire.requests import Delete

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation


async def run(session: Conversation, request: Delete) -> None:
    """Deletes a mailbox, and closes it if it is selected here. Raises Refused(NONEXISTENT, CANNOT, HASCHILDREN)."""
    if mailbox_key(request.mailbox) == PAST:
        # nothing is deleted: LIST does not show it any more
        await access.show_deleted(session, shows=False)
        return
    view = session.view
    located = await access.locate(session, request.mailbox, "x")
    closes = False
    if view is not None and view.account is located.account:
        closes = (await located.account.mailbox(located.name)).id == view.mailbox
    await located.account.delete(located.name)
    if session.notifications is not None and located.account is session.account:
        session.notifications.deleted(located.name)
    session.write(normal_name(request.mailbox, request.old_name, ("\\NonExistent",)))
    if closes:
        session.unselect()
        session.write(untagged_ok(codes.CLOSED, texts.CLOSED_BY_DELETE, session.translation))
