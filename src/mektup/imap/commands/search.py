"""SEARCH and UID SEARCH (RFC 9051 §6.4.4), with RETURN, and ``$`` of SEARCHRES."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mektup.imap.search_scope import part_told, scoped
from mektup.imap.sync import modseqs
from mektup.imap.sync.view import View
from mektup.terms.search import ChangedSince
from mektup.terms.sets import NumberSet, Uids
from mektup.wire.requests import Search
from mektup.wire.strings import spelled_out

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation


FEW_NUMBERS = 50_000
"""Up to so many numbers are spelled out at once, and remembered for the next equal answer."""

SLICE_NUMBERS = 5000
"""Longer answers are written in slices of so many numbers, so that other sessions can run in between."""


async def run(session: Conversation, request: Search) -> None:
    """Tells which messages match; a sequence number beyond the mailbox matches none."""
    view = session.selected
    scope = scoped(request.key, view)
    part = part_told(request.return_options)
    by_modseq = scope.mentions(ChangedSince)
    modseq_of = part if by_modseq else None
    found, modseq = await session.seek(session.mail.search(view.mailbox, scope.key, view.uids, modseq_of=modseq_of))
    if by_modseq:
        # RFC 7162 §3.1.5, §3.1.6: a client that searches by modseq knows modseqs, and its answer has the highest one
        modseqs.use(session)
    options = request.return_options
    if options is None and session.client.rev2:
        # RFC 9051 §6.4.4: in rev2 the answer is always ESEARCH
        options = frozenset({"ALL"})
    if options is None:
        await _tell(session, found if request.by_uid else view.seqs(found), modseq)
        return
    if options != {"SAVE"}:
        session.write(_esearch_line(request, view, found, options, modseq))
    if "SAVE" in options:
        view.saved = part.of(found)
    return None


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


def _esearch_line(request: Search, view: View, found: Uids, options: frozenset[str], modseq: int | None) -> bytes:
    numbers: NumberSet[int] = NumberSet((found if request.by_uid else view.seqs(found)).runs)
    # RFC 9051 §7.3.4: the tag is a string; some clients accept it only in quotes
    words = [b'* ESEARCH (TAG "%b")' % request.tag]
    if request.by_uid:
        words.append(b"UID")
    if numbers:
        if "MIN" in options:
            words.append(b"MIN %d" % numbers.first)
        if "MAX" in options:
            words.append(b"MAX %d" % numbers.last)
        if "ALL" in options:
            words.append(b"ALL %b" % bytes(numbers))
    if "COUNT" in options:
        words.append(b"COUNT %d" % len(numbers))
    if modseq is not None:
        words.append(b"MODSEQ %d" % modseq)
    return b" ".join(words) + b"\r\n"
