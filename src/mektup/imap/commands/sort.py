"""SORT and UID SORT (RFC 5256, RFC 5957), with RETURN of ESORT (RFC 5267 §3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from msgspec import structs

from mektup.imap import message_limit
from mektup.imap.filters import with_criteria
from mektup.imap.search_scope import check_charset, has_response, part_told, scoped
from mektup.imap.sync import modseqs, updates
from mektup.terms.comparators import DEFAULT, Comparator
from mektup.terms.numbers import Uid
from mektup.terms.search import ChangedSince, SearchKey
from mektup.terms.sets import NumberSet, Uids
from mektup.terms.sorting import COMPARED, SortCriterion
from mektup.wire.ordered_sets import ranges_in_order
from mektup.wire.requests import Sort

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation

SLICE_NUMBERS = 5000
"""Answers are written in slices of so many numbers, so that other sessions can run in between."""


async def run(session: Conversation, request: Sort) -> None:
    """Tells which messages match, in order. Raises ClientError for sequence numbers beyond the mailbox."""
    view = session.selected
    request = await with_criteria(session, request)
    check_charset(session.client, None if request.charset == "UTF-8" else request.charset)
    options = request.return_options
    if options is not None and "UPDATE" in options:
        updates.check_tag(view, request)
    scope = scoped(request.key, view, session.client.comparator)
    # RFC 9738 §3.3
    message_limit.require_few(session, len(message_limit.searched(session, scope.key)))
    criteria = _compared(request.criteria, session.client.comparator)
    part = part_told(request.return_options, request.page)
    by_modseq = scope.mentions(ChangedSince)
    modseq_of = part if by_modseq else None
    found, modseq = await session.seek(
        view.account.sort(view.mailbox, scope.key, view.uids, criteria, modseq_of=modseq_of)
    )
    if by_modseq:
        # RFC 7162 §3.1.5: a client that searches by modseq knows modseqs, and its answer has the highest one
        modseqs.use(session)
    numbers: Sequence[int] = found if request.by_uid else view.seqs_in_order(found)
    if options is None:
        await _write_sort(session, numbers, modseq)
        return
    if has_response(options):
        scores = await _relevancies(session, request, scope.key, found)
        await _write_esearch(session, request, numbers, modseq, scores)
    if "SAVE" in options:
        # RFC 9051 §6.4.4.1 allows SAVE in any command that is based on SEARCH
        view.saved = part.of(found)
    if "UPDATE" in options:
        updates.keep_informed(session, structs.replace(request, criteria=criteria), found)


def _compared(criteria: tuple[SortCriterion, ...], comparator: Comparator) -> tuple[SortCriterion, ...]:
    """*criteria* for a client that chose *comparator* (RFC 5255 §4.7)."""
    if comparator is DEFAULT:
        return criteria
    return tuple([replace(each, comparator=comparator) if each.key in COMPARED else each for each in criteria])


async def _relevancies(session: Conversation, request: Sort, key: SearchKey, found: Sequence[Uid]) -> Sequence[int]:
    """The relevancy of the messages that the answer is about, in its order (RFC 6203 §6); empty: not asked for."""
    if request.return_options is None or "RELEVANCY" not in request.return_options:
        return ()
    told = found if request.page is None else request.page.of_list(found)
    if not told:
        return ()
    view = session.selected
    uids: Uids = NumberSet.of(told)
    scores = dict(zip(uids, await session.seek(view.account.relevancy(view.mailbox, key, uids)), strict=True))
    return [scores[uid] for uid in told]


async def _write_sort(session: Conversation, numbers: Sequence[int], modseq: int | None) -> None:
    session.peer.in_response = True
    session.write(b"* SORT")
    for start in range(0, len(numbers), SLICE_NUMBERS):
        session.write(b"".join(map(b" %d".__mod__, numbers[start : start + SLICE_NUMBERS])))
        await session.peer.drain()
    # RFC 7162 §3.1.9
    session.write(b"\r\n" if modseq is None else b" (MODSEQ %d)\r\n" % modseq)
    session.peer.in_response = False


async def _write_esearch(
    session: Conversation, request: Sort, numbers: Sequence[int], modseq: int | None, scores: Sequence[int]
) -> None:
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
            session.write(b" ALL ")
            await _write_ranges(session, numbers)
    if request.page is not None:
        session.write(b" PARTIAL (%b " % bytes(request.page))
        # RFC 9394 §3.1: unlike ALL, it is told even if it is empty
        if page := request.page.of_list(numbers):
            await _write_ranges(session, page)
        else:
            session.write(b"NIL")
        session.write(b")")
    if scores:
        session.write(b" RELEVANCY (%d" % scores[0])
        for start in range(1, len(scores), SLICE_NUMBERS):
            session.write(b"".join(map(b" %d".__mod__, scores[start : start + SLICE_NUMBERS])))
            await session.peer.drain()
        session.write(b")")
    if "COUNT" in options:
        session.write(b" COUNT %d" % len(numbers))
    session.write(b"\r\n" if modseq is None else b" MODSEQ %d\r\n" % modseq)
    session.peer.in_response = False


async def _write_ranges(session: Conversation, numbers: Sequence[int]) -> None:
    ranges = ranges_in_order(numbers)
    session.write(next(ranges))
    while some := list(islice(ranges, SLICE_NUMBERS)):
        session.write(b"".join([b"," + each for each in some]))
        await session.peer.drain()
