"""APPEND (RFC 9051 §6.3.12)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from mektup.imap import texts
from mektup.imap.answers import Answer
from mektup.imap.list_line import normal_name
from mektup.store.interface import Incoming
from mektup.store.prepare import prepare_in_turn
from mektup.store.spool import Spool
from mektup.terms.errors import Code, Refused
from mektup.wire import codes
from mektup.wire.requests import Append, AppendMessage

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation


async def run(session: Conversation, request: Append) -> Answer:
    """Adds the spooled messages; they are on disk before the OK. Raises Refused(TRYCREATE, OVERQUOTA)."""
    account = session.mail
    try:
        # asked again, because the mailbox may be deleted or renamed while the client sends the message
        mailbox = await account.target(request.mailbox)
        incoming = await _prepared(session, request)
        appended = await account.append(mailbox, incoming)
    except Refused as refusal:
        if refusal.code is Code.NONEXISTENT:
            raise Refused(Code.TRYCREATE, refusal.text) from refusal
        raise
    session.services.tally.messages += len(incoming)
    session.write(normal_name(request.mailbox, request.old_name))
    return Answer(codes.append_uid(appended.uidvalidity, appended.uids), texts.APPENDED)


async def _prepared(session: Conversation, request: Append) -> list[Incoming]:
    """Prepares the messages; the account takes all or none. Raises Refused(LIMIT)."""
    if len(request.messages) == 1:
        return [await _incoming(session, request.messages[0])]
    prepared: list[Incoming] = []
    rendered, most = 0, session.services.limits.append_rendered_bytes
    for message in request.messages:
        await session.give_way()
        prepared.append(await _incoming(session, message))
        rendered += prepared[-1].arrival.rendered_bytes
        if rendered > most:
            raise Refused(Code.LIMIT, texts.TOO_MANY_PARTS)
    return prepared


async def _incoming(session: Conversation, message: AppendMessage) -> Incoming:
    assert isinstance(message.message, Spool)
    arrival = await prepare_in_turn(message.message.octets(), session.services.limits)
    if not isinstance(arrival.raw, bytes):
        # an APPEND may have hundreds of messages, and each memory map holds an open file
        arrival = replace(arrival, raw=message.message.unmapped())
    seconds, zone = message.internaldate or (None, 0)
    return Incoming(arrival, frozenset(message.flags), seconds, zone)
