"""CANCELUPDATE (RFC 5267 §4.3.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mektup.imap.sync import updates
from mektup.wire.requests import CancelUpdate

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation


async def run(session: Conversation, request: CancelUpdate) -> None:
    """Ends the updates of searches. A tag that names none is ignored: the server may have ended it already."""
    for tag in request.tags:
        updates.cancel_updates(session.selected, tag)
