"""DELETE (RFC 9051 §6.3.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mektup.imap import texts
from mektup.imap.answers import untagged_ok
from mektup.imap.list_line import normal_name
from mektup.wire import codes
from mektup.wire.requests import Delete

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation


async def run(session: Conversation, request: Delete) -> None:
    """Deletes a mailbox, and closes it if it is selected here. Raises Refused(NONEXISTENT, CANNOT, HASCHILDREN)."""
    account, view = session.mail, session.view
    closes = view is not None and (await account.mailbox(request.mailbox)).id == view.mailbox
    await account.delete(request.mailbox)
    session.write(normal_name(request.mailbox, request.old_name, ("\\NonExistent",)))
    if closes:
        session.unselect()
        session.write(untagged_ok(codes.CLOSED, texts.CLOSED_BY_DELETE, session.translation))
