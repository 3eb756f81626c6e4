"""APPEND (RFC 9051 §6.3.12)."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from msgspec.structs import replace

from mektup.imap import access, message_limit, texts
from mektup.imap.answers import Answer
from mektup.imap.catenate import assembled
from mektup.imap.list_line import normal_name
from mektup.session.delivery_log import DeliveryLog
from mektup.store.interface import Appended, Incoming
from mektup.store.prepare import prepare_in_turn, spool_without_binary
from mektup.store.spool import Spool
from mektup.terms.errors import Code, Refused
from mektup.terms.rights import ALL, Rights, permitted
from mektup.wire import codes
from mektup.wire.requests import Append, AppendMessage, Catenated

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation


async def run(session: Conversation, request: Append) -> Answer:
    """Adds the spooled messages; they are on disk before the OK. Raises Refused(TRYCREATE, OVERQUOTA)."""
    try:
        # asked again, because the mailbox may be deleted or renamed while the client sends the message
        located = await access.locate(session, request.mailbox, "i")
        mailbox = await located.account.target(located.name)
        located.check(mailbox)
        incoming = await _prepared(session, request, located.rights)
        appended = await located.account.append(mailbox, incoming)
    except Refused as refusal:
        if refusal.code is Code.NONEXISTENT:
            raise Refused(Code.TRYCREATE, refusal.text) from refusal
        raise
    if session.notifications is not None:
        session.notifications.added(session.view, located.account, mailbox, appended.uids)
    for each in incoming:
        session.services.tally.stored(each.arrival.size)
    if session.services.log_rules.appends:
        _log(session, request.mailbox, incoming, appended)
    session.write(normal_name(request.mailbox, request.old_name))
    # RFC 4315 §3: no UIDs of a mailbox that the client may not open
    code = codes.append_uid(appended.uidvalidity, appended.uids) if "r" in located.rights else b""
    return Answer(code, texts.APPENDED)


def _log(session: Conversation, mailbox: str, incoming: list[Incoming], appended: Appended) -> None:
    began = session.began
    for each, uid in zip(incoming, appended.uids, strict=True):
        log = DeliveryLog(session.services.log, message_id=each.arrival.message_id, octets=each.arrival.size)
        log.delivered(user=session.mail.name, mailbox=mailbox, uid=uid, seconds=monotonic() - began)


async def _prepared(session: Conversation, request: Append, rights: Rights) -> list[Incoming]:
    """Prepares the messages; the account takes all or none. Raises Refused(LIMIT)."""
    message_limit.require_room(session, len(request.messages) - 1)
    if len(request.messages) == 1:
        return [await incoming_of(session, request.messages[0], rights)]
    prepared: list[Incoming] = []
    rendered, most = 0, session.services.limits.append_rendered_bytes
    for message in request.messages:
        await session.give_way()
        prepared.append(await incoming_of(session, message, rights))
        rendered += prepared[-1].arrival.rendered_bytes
        if rendered > most:
            raise Refused(Code.LIMIT, texts.TOO_MANY_PARTS)
    return prepared


async def incoming_of(session: Conversation, message: AppendMessage, rights: Rights) -> Incoming:
    """The message to store in a mailbox on which the client has *rights*. Raises Refused(BADURL, TOOBIG)."""
    spool = message.message
    if isinstance(spool, Catenated):
        spool = await assembled(session, spool)
    assert isinstance(spool, Spool)
    if spool.is_unchanged:
        spool = await spool_without_binary(spool.octets(), session.new_spool, session.services.limits)
    arrival = await prepare_in_turn(spool.octets(), session.services.limits)
    if not isinstance(arrival.raw, bytes):
        # an APPEND may have hundreds of messages, and each memory map holds an open file
        arrival = replace(arrival, raw=spool.unmapped())
    seconds, zone = message.internaldate or (None, 0)
    # RFC 4314 §4: flags without their right are not stored, and APPEND does not fail
    flags = message.flags if rights is ALL else permitted(message.flags, rights)
    return Incoming(arrival, frozenset(flags), seconds, zone)
