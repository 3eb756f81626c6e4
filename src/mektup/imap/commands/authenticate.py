"""AUTHENTICATE (RFC 9051 §6.2.2): a SASL exchange in base64 lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mektup.auth.sasl import Complaints, converse
from mektup.imap import texts
from mektup.imap.answers import Answer
from mektup.imap.capabilities import capabilities
from mektup.terms.errors import Refused
from mektup.wire import codes
from mektup.wire.requests import Authenticate

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation

_COMPLAINTS = Complaints(
    cancelled=texts.CANCELLED,
    not_base64=texts.NOT_BASE64,
)


async def run(session: Conversation, request: Authenticate) -> Answer:
    """Logs the client in by a SASL exchange.

    Raises Refused(AUTHENTICATIONFAILED, ...), ClientError for a cancelled exchange or a line that is not base64.
    """

    async def ask(challenge: bytes) -> bytes:
        session.write(b"+ %b\r\n" % challenge)
        return await session.read_line()

    exchange = session.services.authenticator.exchange(request.mechanism, session.peer, session.hidden)
    try:
        entry = await converse(exchange, request.initial, ask, _COMPLAINTS)
    except Refused as refusal:
        session.count_login_failure(refusal, request.mechanism, exchange.name)
        raise
    await session.enter(entry)
    return Answer(codes.capability(capabilities(session)), texts.WELCOME)
