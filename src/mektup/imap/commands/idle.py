"""IDLE (RFC 9051 §6.3.13, RFC 2177 §3): changes are told as they come, until DONE.

The watch exists since SELECT. IDLE looks once, then sleeps. A change is seen by the look or fires the watch, so none is
missed. The watch is a flag, so changes that come while others are told do not pile up.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from mektup.imap import answers, texts
from mektup.imap.sync import modseqs, updates
from mektup.terms.errors import ClientError, Code, Refused, TimedOut
from mektup.wire.requests import Idle

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation


AGAIN_SECONDS = 5.0
"""How long to wait before changes that could not be told are tried again."""


async def run(session: Conversation, request: Idle) -> None:
    """Tells changes until the client says DONE. Raises ClientError for any other word, TimedOut after half an hour."""
    session.write(answers.continuation(texts.WAITING, session.translation))
    limits = session.services.limits
    ends = time.monotonic() + limits.idle_seconds
    is_behind = not await _tell(session, look=True)
    while not session.has_ended:
        line = session.receiver.next_line()
        if line is not None:
            if not line:
                # Liberty: emailjs-imap-client sends an empty line after IDLE; empty lines are ignored elsewhere, too
                continue
            if line.strip().upper() != b"DONE":
                raise ClientError(texts.ONLY_DONE)
            break
        # if the store could not answer, the watch stays fired: wait for a time, not for the watch
        watches = (session.view.watch,) if session.view is not None and not is_behind else ()
        patience = min(AGAIN_SECONDS, limits.still_here_seconds) if is_behind else limits.still_here_seconds
        if await session.peer.wait(watches, patience):
            session.receiver.feed(await session.peer.read(limits.idle_seconds))
        elif any(watch.fired for watch in watches) or (
            is_behind and not session.peer.stopping and time.monotonic() < ends
        ):
            is_behind = not await _tell(session, look=False)
        elif session.peer.stopping or time.monotonic() >= ends:
            raise TimedOut
        else:
            # routers on the way forget silent connections
            session.write(answers.untagged_ok(b"", texts.STILL_HERE, session.translation))


async def _tell(session: Conversation, *, look: bool) -> bool:
    """Tells what changed; returns False if the store could not answer."""
    try:
        if look:
            await updates.look(session)
        await updates.tell(session, expunges=True)
        modseqs.tell_due(session)
    except Refused as refusal:
        if refusal.code is not Code.NONEXISTENT:
            return False
        session.throw_out(texts.MAILBOX_DELETED)
    return True
