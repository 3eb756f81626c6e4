"""IDLE (RFC 9051 §6.3.13, RFC 2177 §3): changes are told as they come, until DONE."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from mektup.imap import answers, texts
from mektup.imap.sync import updates, waiting
from mektup.terms.errors import ClientError, Code, Refused
from mektup.wire.requests import Idle

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation


async def run(session: Conversation, request: Idle) -> None:
    """Tells changes until the client says DONE. Raises ClientError for any other word, TimedOut after half an hour."""
    session.write(answers.continuation(texts.WAITING, session.translation))
    ends = time.monotonic() + session.services.limits.idle_seconds
    session.idling = True
    try:
        await _look(session)
        while not session.has_ended:
            line = session.next_line()
            if line is None:
                await waiting.until_heard(session, in_idle=True, ends=ends)
                if not session.has_ended:
                    session.receiver.feed(await session.peer.read(session.services.limits.idle_seconds))
            elif line.strip().upper() == b"DONE":
                return
            # Liberty: emailjs-imap-client sends an empty line after IDLE; empty lines are ignored elsewhere, too
            elif line:
                raise ClientError(texts.ONLY_DONE)
    finally:
        session.idling = False


async def _look(session: Conversation) -> None:
    """Looks once for changes of which no notice came yet; a store that cannot answer is asked again later."""
    try:
        await updates.look(session)
    except Refused as refusal:
        if refusal.code is Code.NONEXISTENT:
            session.throw_out(texts.MAILBOX_DELETED)
        elif session.view is not None:
            session.view.watch.fire()
