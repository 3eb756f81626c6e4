"""USER and PASS (RFC 1939 §7), and AUTH (RFC 5034)."""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from typing import TYPE_CHECKING

from mektup.auth.authenticator import Challenge, Exchange
from mektup.pop3.commands import Command
from mektup.store.interface import AccountEntry
from mektup.terms.errors import ClientError, Code, Refused

if TYPE_CHECKING:
    from mektup.pop3.session import Pop3Session


async def user(session: Pop3Session, command: Command) -> None:
    """USER: remembers the name, whether or not there is such an account."""
    session.user = None
    if not session.services.authenticator.may_send_password(session.peer):
        raise Refused(Code.PRIVACYREQUIRED, "Encrypt the connection first: STLS")
    session.user = command.text
    session.say("+OK Now the password")


async def password(session: Pop3Session, command: Command) -> None:
    """PASS: logs in. After a failure, the client must send USER again."""
    name, session.user = session.user, None
    if name is None:
        raise ClientError("USER comes before PASS")
    try:
        entry = await session.services.authenticator.login(name, command.text, session.peer)
    except Refused as refusal:
        session.count_login_failure(refusal, "PASS", name)
        raise
    await session.enter(entry)


async def auth(session: Pop3Session, command: Command) -> None:
    """AUTH: a SASL exchange. Without an argument, lists the mechanisms: Outlook asks for them this way."""
    session.user = None
    mechanism, _, initial = command.text.decode("ascii", "replace").partition(" ")
    if not mechanism:
        mechanisms = session.services.authenticator.mechanisms(session.peer)
        for line in ("+OK These are the mechanisms", *mechanisms, "."):
            session.say(line)
        return
    exchange = session.services.authenticator.exchange(mechanism.upper(), session.peer)
    try:
        entry = await _exchanged(session, exchange, initial.strip() or None)
    except Refused as refusal:
        session.count_login_failure(refusal, mechanism.upper(), exchange.name)
        raise
    await session.enter(entry)


async def _exchanged(session: Pop3Session, exchange: Exchange, initial: str | None) -> AccountEntry:
    if initial is not None:
        # RFC 5034 §4: a lone "=" is an empty response
        response = b"" if initial == "=" else _decoded(initial.encode("ascii", "replace"))
    else:
        response = await _asked(session, b"") if exchange.wants_initial else b""
    while isinstance(outcome := await exchange.step(response), Challenge):
        response = await _asked(session, outcome.octets)
    return outcome


async def _asked(session: Pop3Session, challenge: bytes) -> bytes:
    session.say("+ " + b64encode(challenge).decode("ascii"))
    line = await session.read_line()
    if line == b"*":
        raise ClientError("Given up, as you wish")
    return _decoded(line)


def _decoded(line: bytes) -> bytes:
    # RFC 5034 §4: characters that are not base64 are refused, not ignored
    try:
        return b64decode(line, validate=True)
    except Base64Error:
        raise ClientError("A base64 response is expected") from None
