"""AUTHENTICATE (RFC 9051 §6.2.2): a SASL exchange in base64 lines."""

from __future__ import annotations

from base64 import b64encode
from binascii import Error, a2b_base64
from typing import TYPE_CHECKING

from mektup.auth.authenticator import Challenge, Exchange
from mektup.imap.capabilities import capabilities
from mektup.store.interface import AccountEntry
from mektup.terms.errors import ClientError, Refused
from mektup.wire import codes
from mektup.wire.requests import Authenticate

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation


async def run(session: Conversation, request: Authenticate) -> bytes | None:
    """Logs the client in by a SASL exchange.

    Raises Refused(AUTHENTICATIONFAILED, ...), ClientError for a cancelled exchange or a line that is not base64.
    """
    exchange = session.services.authenticator.exchange(request.mechanism, session.peer)
    try:
        entry = await _converse(session, exchange, request.initial)
    except Refused as refusal:
        session.count_login_failure(refusal, request.mechanism, exchange.name)
        raise
    await session.enter(entry)
    return b"%b Welcome" % codes.capability(capabilities(session))


async def _converse(session: Conversation, exchange: Exchange, initial: bytes | None) -> AccountEntry:
    if initial is not None:
        answer = await exchange.step(initial)
    elif exchange.wants_initial:
        answer = Challenge(b"")
    else:
        answer = await exchange.step(b"")
    while isinstance(answer, Challenge):
        session.write(b"+ %b\r\n" % b64encode(answer.octets))
        answer = await exchange.step(_decode(await session.read_line()))
    return answer


def _decode(line: bytes) -> bytes:
    if line == b"*":
        raise ClientError("Authentication cancelled, as you wished")
    try:
        return a2b_base64(line, strict_mode=True)
    except Error:
        raise ClientError("A line of an AUTHENTICATE exchange must be base64, or * to cancel") from None
