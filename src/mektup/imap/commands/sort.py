"""SORT and UID SORT (RFC 5256, RFC 5957), with RETURN of ESORT (RFC 5267 §3)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from mektup.imap.search_scope import part_told, scoped
from mektup.imap.sync import modseqs
from mektup.terms.search import ChangedSince
from mektup.wire.requests import Sort

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation

SLICE_NUMBERS = 5000
"""Answers are written in slices of so many numbers, so that other sessions can run in between."""


async def run(session: Conversation, request: Sort) -> None:
    """Tells which messages match, in order. Raises ClientError for sequence numbers beyond the mailbox."""
    view = session.selected
    scope = scoped(request.key, view)
    part = part_told(request.return_options)
    by_modseq = scope.mentions(ChangedSince)
    modseq_of = part if by_modseq else None
    found, modseq = await session.seek(
        session.mail.sort(view.mailbox, scope.key, view.uids, request.criteria, modseq_of=modseq_of)
    )
    if by_modseq:
        # RFC 7162 §3.1.5: a client that searches by modseq knows modseqs, and its answer has the highest one
        modseqs.use(session)
    numbers: Sequence[int] = found if request.by_uid else view.seqs_in_order(found)
    if request.return_options is None:
        await _write_sort(session, numbers, modseq)
    else:
        if request.return_options != {"SAVE"}:
            await _write_esearch(session, request, numbers, modseq)
        if "SAVE" in request.return_options:
            # RFC 9051 §6.4.4.1 allows SAVE in any command that is based on SEARCH
            view.saved = part.of(found)


async def _write_sort(session: Conversation, numbers: Sequence[int], modseq: int | None) -> None:
    session.peer.in_response = True
    session.write(b"* SORT")
    for start in range(0, len(numbers), SLICE_NUMBERS):
        session.write(b"".join(map(b" %d".__mod__, numbers[start : start + SLICE_NUMBERS])))
        await session.peer.drain()
    # RFC 7162 §3.1.9
    session.write(b"\r\n" if modseq is None else b" (MODSEQ %d)\r\n" % modseq)
    session.peer.in_response = False


async def _write_esearch(session: Conversation, request: Sort, numbers: Sequence[int], modseq: int | None) -> None:
    options = request.return_options or frozenset()
    session.peer.in_response = True
    session.write(b'* ESEARCH (TAG "%b")%b' % (request.tag, b" UID" if request.by_uid else b""))
    if numbers:
        # RFC 5267 §3.1: MIN and MAX are the first and the last message in the requested order
        if "MIN" in options:
            session.write(b" MIN %d" % numbers[0])
        if "MAX" in options:
            session.write(b" MAX %d" % numbers[-1])
        if "ALL" in options:
            ranges = _ranges(numbers)
            session.write(b" ALL " + next(ranges))
            while some := list(islice(ranges, SLICE_NUMBERS)):
                session.write(b"".join([b"," + each for each in some]))
                await session.peer.drain()
    if "COUNT" in options:
        session.write(b" COUNT %d" % len(numbers))
    session.write(b"\r\n" if modseq is None else b" MODSEQ %d\r\n" % modseq)
    session.peer.in_response = False


def _ranges(numbers: Sequence[int]) -> Iterator[bytes]:
    """*numbers*, not empty, as the ranges of a sequence set, in their order.

    RFC 5267 §3.2: a range is read in ascending order, so only consecutive ascending numbers make one.
    """
    first = last = numbers[0]
    for number in islice(numbers, 1, None):
        if number != last + 1:
            yield b"%d" % first if first == last else b"%d:%d" % (first, last)
            first = number
        last = number
    yield b"%d" % first if first == last else b"%d:%d" % (first, last)
