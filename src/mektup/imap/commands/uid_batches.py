"""UIDBATCHES (RFC 10022): ranges of UIDs that split the mailbox into batches of equally many messages."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

from mektup.imap import texts
from mektup.terms.errors import Code, Refused
from mektup.terms.sets import Uids
from mektup.wire.requests import UidBatches

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation

SLICE_BATCHES = 500
"""Answers are written in slices of so many batches, so that other sessions can run in between."""


async def run(session: Conversation, request: UidBatches) -> None:
    """Tells the batches. Raises Refused(TOOFEW) for small batches, Refused(TOOMANY) for more than fit an answer."""
    limits = session.services.limits
    if request.size < limits.uid_batch_messages:
        raise Refused(Code.TOOFEW, texts.SMALLEST_BATCH.of(count=limits.uid_batch_messages))
    # what a client asks for a batch must not be more than MESSAGELIMIT lets it
    size = min(request.size, limits.message_limit or request.size)
    uids = session.selected.uids
    first, last = request.wanted or (1, len(uids))
    last = min(last, -(-len(uids) // size))
    if last - first + 1 > limits.uid_batches:
        raise Refused(Code.TOOMANY, texts.TOO_MANY_BATCHES.of(count=limits.uid_batches))
    session.peer.in_response = True
    session.write(b'* UIDBATCHES (TAG "%b")' % request.tag)
    before = b" "
    ranges = batches(uids, size, first, last)
    while some := list(islice(ranges, SLICE_BATCHES)):
        session.write(before + b",".join([b"%d:%d" % each for each in some]))
        before = b","
        await session.give_way()
    session.write(b"\r\n")
    session.peer.in_response = False


def batches(uids: Uids, size: int, first: int, last: int) -> Iterator[tuple[int, int]]:
    """The highest and the lowest UID of each batch from the *first* to the *last*, which is the last one at most.

    The first batch has the highest messages, and the last one ends with UID 1 (RFC 10022 §3.1). Each begins just below
    the one before, so that every UID up to the highest is in one of them.
    """
    messages = len(uids)
    for above in range((first - 1) * size, last * size, size):
        highest = uids.nth(messages - above + 1) - 1 if above else uids.last
        yield highest, uids.nth(messages - above - size + 1) if above + size < messages else 1
