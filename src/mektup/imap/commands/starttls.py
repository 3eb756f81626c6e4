"""STARTTLS (RFC 9051 §6.2.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mektup.imap import texts
from mektup.imap.answers import Answer
from mektup.session.texts import ENCRYPTED_ALREADY
from mektup.terms.errors import ClientError, Refused
from mektup.wire.requests import StartTls

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation

BEGIN = Answer(b"", texts.BEGIN_TLS)


async def run(session: Conversation, request: StartTls) -> None:
    """Starts TLS; the OK is sent before the handshake.

    Raises ClientError if the connection is encrypted already.
    """
    if session.peer.secure:
        raise ClientError(ENCRYPTED_ALREADY)
    if not session.services.can_start_tls:
        raise Refused(None, texts.NO_CERTIFICATE)
    if session.receiver.has_buffered or session.peer.has_unread:
        # an attacker may have injected the commands, to have them obeyed as if they came encrypted
        session.throw_out(texts.NOTHING_AFTER_STARTTLS)
        raise ClientError(texts.COMMANDS_IN_CLEAR)
    session.answer(BEGIN)
    await session.peer.start_tls()
