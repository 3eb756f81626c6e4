"""Waiting for a client while it is told what changes: in IDLE, and between commands under NOTIFY.

Watches exist before the first look, and each is a flag. A change is seen by the look or raises a flag, so none is
missed, and changes that come while others are told do not pile up. IDLE tells the same as NOTIFY (RFC 5465 §4).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from mektup.imap import answers, texts
from mektup.imap.sync import modseqs, news, updates
from mektup.terms.errors import Code, Refused, TimedOut
from mektup.terms.peer import Watch

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation

AGAIN_SECONDS = 5.0
"""How long to wait before changes that could not be told are tried again."""


async def until_heard(session: Conversation, *, in_idle: bool, ends: float) -> None:
    """Tells changes until there are octets to read, or the session ends. Raises TimedOut.

    *ends*: when the client has been silent for too long, by ``time.monotonic``. *in_idle*: the client waits, so it may
    be told everything; between commands, it may be told of expunges only if it asked for that (RFC 5465 §6.1).
    """
    limits, peer = session.services.limits, session.peer
    beat = limits.idle_heartbeat_seconds
    is_behind = not await _tell(session, in_idle=in_idle)
    while not session.has_ended:
        # if the store could not answer, the watch stays fired: wait for a time, not for the watch
        watches = () if is_behind else _watches(session)
        patience = beat or limits.idle_seconds
        if await peer.wait(watches, min(AGAIN_SECONDS, patience) if is_behind else patience):
            return
        if any(watch.fired for watch in watches) or (is_behind and not peer.stopping and time.monotonic() < ends):
            is_behind = not await _tell(session, in_idle=in_idle)
        elif peer.stopping or not beat or time.monotonic() >= ends:
            raise TimedOut
        else:
            # routers on the way forget silent connections
            session.write(answers.untagged_ok(b"", texts.STILL_HERE, session.translation))
            if session.view is not None:
                updates.age(session.view)


def _watches(session: Conversation) -> tuple[Watch, ...]:
    view, state = session.view, session.notifications
    if state is None:
        return () if view is None else (view.watch,)
    selected = (view.watch,) if view is not None and state.interests.selected.messages else ()
    return selected if state.watch is None else (*selected, state.watch)


async def _tell(session: Conversation, *, in_idle: bool) -> bool:
    """Tells what changed; returns False if the store could not answer."""
    state = session.notifications
    try:
        await updates.tell(session, expunges=in_idle or (state is not None and state.interests.selected.at_once))
        modseqs.tell_due(session)
    except Refused as refusal:
        if refusal.code is not Code.NONEXISTENT:
            return False
        session.throw_out(texts.MAILBOX_DELETED)
    return state is None or session.has_ended or await news.tell(session)
