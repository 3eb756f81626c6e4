"""LOGOUT (RFC 9051 §3.4, §6.1.3): BYE, then the tagged OK, then the end of the connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mektup.imap import answers
from mektup.session.texts import GOODBYE
from mektup.wire.requests import Logout

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation


async def run(session: Conversation, request: Logout) -> None:
    """Says goodbye; the session ends after the tagged answer."""
    session.write(answers.bye(GOODBYE, session.translation))
    session.log_out()
