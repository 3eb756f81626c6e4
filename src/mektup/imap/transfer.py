"""COPY and MOVE where the store cannot do them by itself: between accounts, and where rights take flags away.

Two accounts are two files, so there is no transaction over both. The messages are copied first, some at a time, and
are on disk before any of them is removed. If a message cannot be copied, the copies that were made are removed again.
If the process ends in between, there are copies that nobody was told of: after a MOVE a message may be there twice,
but none is lost.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from functools import partial
from typing import TYPE_CHECKING

from mektup.imap.access import Located
from mektup.store.arrival import Octets
from mektup.store.columns import Column
from mektup.store.interface import Account, Appended, Copied, Incoming
from mektup.store.prepare import prepare_in_turn
from mektup.store.rules.mailbox_names import no_such_target
from mektup.store.spool import Spool
from mektup.terms.errors import Code, Refused
from mektup.terms.flags import without_invalid_flags
from mektup.terms.limits import MIB
from mektup.terms.numbers import ContentId, MailboxId, ModSeq, Uid, UidValidity
from mektup.terms.rights import FLAGGING, permitted
from mektup.terms.sets import NumberSet, Uids
from mektup.wire.arguments import read_date_time

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation
    from mektup.imap.sync.view import View

AT_ONCE = 50
"""The most messages that are added in one transaction."""

AT_ONCE_BYTES = 4 * MIB
"""When the messages of a transaction have so many octets, no more are added."""

COLUMNS = (Column.FLAGS, Column.INTERNALDATE, Column.SIZE, Column.CONTENT, Column.RAW)


def is_needed(view: View, target: Located) -> bool:
    """Whether messages of *view* cannot be copied to *target* by the account alone."""
    return target.account is not view.account or not target.rights >= FLAGGING


async def copy(session: Conversation, uids: Uids, target: Located) -> Copied:
    """Copies messages of the selected mailbox, all or none. Raises Refused(TRYCREATE)."""
    mailbox = await _target(target)
    sources: Uids = NumberSet()
    targets: Uids = NumberSet()
    appended = Appended(UidValidity(0), targets, ModSeq(0))
    is_done = False
    try:
        async with aclosing(_batches(session, uids, target)) as batches:
            async for some, incoming in batches:
                appended = await target.account.append(mailbox, incoming)
                sources, targets = sources | some, targets | appended.uids
        is_done = True
    finally:
        if targets and not is_done:
            with suppress(Refused):  # the refusal of the copy is told; these copies stay
                await target.account.remove(mailbox, targets)
    return Copied(appended.uidvalidity, sources, targets, appended.modseq)


async def move(session: Conversation, uids: Uids, target: Located) -> Copied:
    """Copies messages of the selected mailbox, then removes them there. Raises Refused, as ``copy``.

    A failure to remove them is refused, too: the copies stay, so that nothing is lost.
    """
    view = session.selected
    copied = await copy(session, uids, target)
    if copied.sources:
        await view.account.remove(view.mailbox, copied.sources)
    return copied


async def _target(target: Located) -> MailboxId:
    try:
        mailbox = await target.account.target(target.name)
        target.check(mailbox)
    except Refused as refusal:
        if refusal.code is Code.NONEXISTENT:
            raise no_such_target() from refusal
        raise
    return mailbox


Batch = tuple[Uids, list[Incoming]]
"""Messages to add in one transaction: their UIDs in the source, and what is added."""


async def _batches(session: Conversation, uids: Uids, target: Located) -> AsyncGenerator[Batch, None]:
    """The existing messages of *uids*, ascending."""
    view = session.selected
    found: list[Uid] = []
    incoming: list[Incoming] = []
    octets = 0
    async with aclosing(view.account.fetch(view.mailbox, uids, COLUMNS)) as slices:
        async for rows in slices:
            for uid, word, shown, size, content, raw in rows:
                if found and (raw is None or len(found) >= AT_ONCE or octets >= AT_ONCE_BYTES):
                    yield NumberSet.of_sorted(found), incoming
                    found, incoming, octets = [], [], 0
                flags = permitted(without_invalid_flags(view.account.flag_names(word)), target.rights)
                make = partial(_incoming, session, flags, *read_date_time(shown))
                if raw is None:
                    with _spool(session) as spool:
                        await _read(view.account, content, size, spool)
                        yield NumberSet.span(uid, uid), [await make(spool.octets())]
                else:
                    incoming.append(await make(raw))
                    found.append(uid)
                    octets += size
                await session.give_way()
    if found:
        yield NumberSet.of_sorted(found), incoming


async def _incoming(session: Conversation, flags: list[str], seconds: int, zone: int, octets: Octets) -> Incoming:
    arrival = await prepare_in_turn(octets, session.services.limits)
    return Incoming(arrival, frozenset(flags), seconds, zone)


def _spool(session: Conversation) -> Spool:
    services = session.services
    return Spool(directory=services.spool_directory, faults=services.faults, budget=services.spool_memory)


async def _read(account: Account, content: ContentId, size: int, spool: Spool) -> None:
    """Reads a message that is too large for a row."""
    async with aclosing(account.content(content, 0, size)) as pieces:
        async for piece in pieces:
            spool.write(piece)
