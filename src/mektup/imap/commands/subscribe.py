"""SUBSCRIBE and UNSUBSCRIBE (RFC 9051 §6.3.7, §6.3.8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mektup.wire.requests import Subscribe, Unsubscribe

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation


async def run(session: Conversation, request: Subscribe | Unsubscribe) -> None:
    """Subscribes to a name or removes the subscription, whether or not there is such a mailbox."""
    if isinstance(request, Subscribe):
        await session.mail.subscribe(request.mailbox)
    else:
        await session.mail.unsubscribe(request.mailbox)
    if session.notifications is not None:
        session.notifications.subscribes(request.mailbox, isinstance(request, Subscribe))
