"""USER and PASS (RFC 1939 §7), and AUTH (RFC 5034)."""

from __future__ import annotations

from typing import Protocol

from mektup.auth.sasl import Complaints, converse, initial_response
from mektup.pop3 import texts
from mektup.pop3.commands import Command
from mektup.session.services import Services
from mektup.store.interface import AccountEntry
from mektup.terms.errors import ClientError, Code, Refused
from mektup.terms.peer import Peer
from mektup.terms.texts import Text

_COMPLAINTS = Complaints(cancelled=texts.CANCELLED, not_base64=texts.BASE64_EXPECTED)


class LoginConversation(Protocol):
    """What these commands use of their session."""

    peer: Peer
    services: Services
    user_given: bytes | None
    """The name that USER gave, until PASS."""

    def say(self, line: str) -> None:
        """Queues one line."""

    def succeed(self, text: Text) -> None:
        """Queues ``+OK`` and *text*."""

    async def read_line(self) -> bytes:
        """The next line where no command is expected. Raises ClientError for one that is too long."""

    async def enter(self, entry: AccountEntry) -> None:
        """Logs the client in to the account of *entry*, and opens its maildrop. Raises Refused."""

    def count_login_failure(self, refusal: Refused, mechanism: str, name: bytes) -> None:
        """Counts a failed login; too many end the session."""


async def user(session: LoginConversation, command: Command) -> None:
    """USER: remembers the name, whether or not there is such an account."""
    session.user_given = None
    if not session.services.authenticator.may_send_password(session.peer):
        raise Refused(Code.PRIVACYREQUIRED, texts.ENCRYPT_FIRST)
    session.user_given = command.text
    session.succeed(texts.NOW_THE_PASSWORD)


async def password(session: LoginConversation, command: Command) -> None:
    """PASS: logs in. After a failure, the client must send USER again."""
    name, session.user_given = session.user_given, None
    if name is None:
        raise ClientError(texts.USER_BEFORE_PASS)
    try:
        entry = await session.services.authenticator.login(name, command.text, session.peer)
    except Refused as refusal:
        session.count_login_failure(refusal, "PASS", name)
        raise
    await session.enter(entry)


async def auth(session: LoginConversation, command: Command) -> None:
    """AUTH: a SASL exchange. Without an argument, lists the mechanisms: Outlook asks for them this way."""
    session.user_given = None
    mechanism, _, initial = command.text.decode("ascii", "replace").partition(" ")
    if not mechanism:
        mechanisms = session.services.authenticator.mechanisms(session.peer, session.services.hidden)
        session.succeed(texts.MECHANISMS)
        for line in (*mechanisms, "."):
            session.say(line)
        return

    async def ask(challenge: bytes) -> bytes:
        session.say("+ " + challenge.decode("ascii"))
        return await session.read_line()

    exchange = session.services.authenticator.exchange(mechanism.upper(), session.peer, session.services.hidden)
    text = initial.strip().encode("ascii", "replace")
    try:
        entry = await converse(exchange, initial_response(text, _COMPLAINTS) if text else None, ask, _COMPLAINTS)
    except Refused as refusal:
        session.count_login_failure(refusal, mechanism.upper(), exchange.name)
        raise
    await session.enter(entry)
