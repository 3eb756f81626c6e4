"""MYRIGHTS (RFC 4314 §3.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mektup.imap import access
from mektup.imap.rights_line import rights_line
from mektup.wire.requests import MyRights

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation


async def run(session: Conversation, request: MyRights) -> None:
    """Tells what the client may do with a mailbox. Raises Refused(NONEXISTENT)."""
    located = await access.locate(session, request.mailbox)
    await access.require_there(located)
    session.write(rights_line(located.shown, located.rights, utf8=session.client.utf8))
