"""LOGIN (RFC 9051 §6.2.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mektup.imap import texts
from mektup.imap.answers import Answer
from mektup.imap.capabilities import capabilities
from mektup.terms.errors import Refused
from mektup.wire import codes
from mektup.wire.requests import Login

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation


async def run(session: Conversation, request: Login) -> Answer:
    """Logs the client in by name and password. Raises Refused(AUTHENTICATIONFAILED, PRIVACYREQUIRED, ...)."""
    try:
        entry = await session.services.authenticator.login(request.user, request.password, session.peer)
    except Refused as refusal:
        session.count_login_failure(refusal, "LOGIN", request.user)
        raise
    await session.enter(entry)
    return Answer(codes.capability(capabilities(session)), texts.WELCOME)
