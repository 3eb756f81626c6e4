"""SEARCH and UID SEARCH (RFC 9051 §6.4.4), with RETURN, and ``$`` of SEARCHRES."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mektup.imap import message_limit
from mektup.imap.answers import Answer
from mektup.imap.filters import with_criteria
from mektup.imap.search_scope import check_charset, has_response, part_told, scoped
from mektup.imap.sync import modseqs, updates
from mektup.imap.sync.view import View
from mektup.store.interface import Account
from mektup.terms.numbers import MailboxId
from mektup.terms.search import ChangedSince, SearchKey
from mektup.terms.sets import NumberSet, Uids
from mektup.wire.requests import Esearch, Search
from mektup.wire.strings import spelled_out

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation


FEW_NUMBERS = 50_000
"""Up to so many numbers are spelled out at once, and remembered for the next equal answer."""

SLICE_NUMBERS = 5000
"""Longer answers are written in slices of so many numbers, so that other sessions can run in between."""


async def run(session: Conversation, request: Search) -> Answer | None:
    """Tells which messages match; a sequence number beyond the mailbox matches none."""
    view = session.selected
    request = await with_criteria(session, request)
    check_charset(session.client, request.charset)
    options = request.return_options
    if options is not None and "UPDATE" in options:
        updates.check_tag(view, request)
    scope = scoped(request.key, view, session.client.comparator)
    asked = message_limit.searched(session, scope.key)
    done = message_limit.processed(session, asked)
    part = part_told(request.return_options, request.page)
    by_modseq = scope.mentions(ChangedSince)
    modseq_of = part if by_modseq else None
    found, modseq = await session.seek(view.account.search(view.mailbox, scope.key, done, modseq_of=modseq_of))
    if by_modseq:
        # RFC 7162 §3.1.5, §3.1.6: a client that searches by modseq knows modseqs, and its answer has the highest one
        modseqs.use(session)
    if options is None and session.client.rev2:
        # RFC 9051 §6.4.4: in rev2 the answer is always ESEARCH
        options = frozenset({"ALL"})
    if options is None:
        await _tell(session, found if request.by_uid else view.seqs(found), modseq)
    else:
        if has_response(options):
            scores = await relevancies(session, view.account, view.mailbox, request, scope.key, found)
            session.write(_esearch_line(request, view, found, options, modseq, scores))
        if "SAVE" in options:
            view.saved = part.of(found)
        if "UPDATE" in options:
            updates.keep_informed(session, request, found, is_whole=done is asked)
    return message_limit.told(session, asked, done)


async def _tell(session: Conversation, numbers: NumberSet[Any], modseq: int | None) -> None:
    end = b"\r\n" if modseq is None else b" (MODSEQ %d)\r\n" % modseq
    if not numbers:
        session.write(b"* SEARCH" + end)
    elif len(numbers) <= FEW_NUMBERS:
        session.write(b"* SEARCH " + spelled_out(numbers) + end)
    else:
        session.peer.in_response = True
        session.write(b"* SEARCH")
        for some in numbers.slices(SLICE_NUMBERS):
            session.write(b"".join(map(b" %d".__mod__, some)))
            await session.give_way()
        session.write(end)
        session.peer.in_response = False


async def relevancies(
    session: Conversation, account: Account, mailbox: MailboxId, request: Search | Esearch, key: SearchKey, found: Uids
) -> Sequence[int] | None:
    """The relevancy of the messages that the answer is about, ascending by UID; None where it is not asked for.

    RFC 6203 §4: of all messages that were *found* by *key*, or of the page that PARTIAL asks for.
    """
    if request.return_options is None or "RELEVANCY" not in request.return_options:
        return None
    told = found if request.page is None else request.page.of_set(found)
    return await session.seek(account.relevancy(mailbox, key, told)) if told else ()


def _esearch_line(
    request: Search,
    view: View,
    found: Uids,
    options: frozenset[str],
    modseq: int | None,
    scores: Sequence[int] | None,
) -> bytes:
    numbers: NumberSet[int] = NumberSet((found if request.by_uid else view.seqs(found)).runs)
    # RFC 9051 §7.3.4: the tag is a string; some clients accept it only in quotes
    correlators = b'TAG "%b"' % request.tag
    return esearch_line(correlators, request, numbers, options, modseq, scores)


def esearch_line(
    correlators: bytes,
    request: Search | Esearch,
    numbers: NumberSet[int],
    options: frozenset[str],
    modseq: int | None,
    scores: Sequence[int] | None,
) -> bytes:
    """``* ESEARCH (correlators) ...`` with what the RETURN *options* of *request* ask for (RFC 9051 §7.3.4)."""
    words = [b"* ESEARCH (%b)" % correlators]
    if request.by_uid:
        words.append(b"UID")
    if numbers:
        if "MIN" in options:
            words.append(b"MIN %d" % numbers.first)
        if "MAX" in options:
            words.append(b"MAX %d" % numbers.last)
        if "ALL" in options:
            words.append(b"ALL %b" % bytes(numbers))
    if request.page is not None:
        # RFC 9394 §3.1: unlike ALL, it is told even if it is empty
        words.append(b"PARTIAL (%b %b)" % (bytes(request.page), bytes(request.page.of_set(numbers)) or b"NIL"))
    if scores:
        words.append(b"RELEVANCY (%b)" % b" ".join(map(b"%d".__mod__, scores)))
    if "COUNT" in options:
        words.append(b"COUNT %d" % len(numbers))
    if modseq is not None:
        words.append(b"MODSEQ %d" % modseq)
    return b" ".join(words) + b"\r\n"
