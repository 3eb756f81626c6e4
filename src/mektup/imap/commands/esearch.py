"""ESEARCH (RFC 7377): one search over many mailboxes, without selecting any."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mektup.imap import texts
from mektup.imap.access import Located
from mektup.imap.commands.search import esearch_line, relevancies
from mektup.imap.filters import with_criteria
from mektup.imap.mailbox_sources import is_selected, readable
from mektup.imap.search_scope import Searched, check_charset, has_response, part_told, scoped
from mektup.imap.sync import modseqs, updates
from mektup.imap.sync.view import among
from mektup.store.interface import Mailbox
from mektup.terms.errors import ClientError, Code, Refused
from mektup.terms.mailbox_sources import SourceKind
from mektup.terms.search import All, ChangedSince, InSeqs, InUidSet, Recent
from mektup.terms.search_walk import leaves
from mektup.terms.sets import NumberSet, SavedResult, SequenceSet, Uids
from mektup.wire.mailbox_names import encode
from mektup.wire.requests import Esearch

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation

FEW = 100
"""For so few messages their UIDs are read first, so that the store can read these messages only."""

_NONE: Uids = NumberSet()


async def run(session: Conversation, request: Esearch) -> None:
    """Tells which messages match in each mailbox; nothing of a mailbox without any (RFC 7377 §2.1).

    Raises ClientError where the selected mailbox is asked for and none is open.
    """
    request = await with_criteria(session, request)
    check_charset(session.client, request.charset)
    view = session.view
    if view is None and any(source.kind is SourceKind.SELECTED for source in request.sources):
        raise ClientError(texts.NEEDS_A_MAILBOX.of(command="ESEARCH"))
    if "UPDATE" in request.return_options:
        # RFC 7377 §2.2: it is about the selected mailbox only
        if view is None:
            raise ClientError(texts.NEEDS_A_MAILBOX.of(command="UPDATE"))
        updates.check_tag(view, request)
    keys = leaves(request.key)
    if any(isinstance(key, ChangedSince) for key in keys):
        # RFC 7162 §3.1.5: a client that searches by modseq knows modseqs
        modseqs.use(session)
    by_number = any(isinstance(key, InSeqs | InUidSet | Recent) for key in keys)
    found: Uids = _NONE
    for mailbox, located in await readable(session, request.sources):
        await session.give_way()
        try:
            found = await _search(session, request, mailbox, located, by_number=by_number)
        except Refused as refusal:
            # it was deleted meanwhile, so it does not match the sources any more (RFC 7377 §2.2)
            if refusal.code is not Code.NONEXISTENT:
                raise
        else:
            if "UPDATE" in request.return_options and is_selected(session, mailbox, located):
                updates.keep_informed(session, request, found, correlators=_correlators(session, request, mailbox))
    if view is not None and "SAVE" in request.return_options:
        view.saved = part_told(request.return_options, request.page).of(found)


async def _search(
    session: Conversation, request: Esearch, mailbox: Mailbox, located: Located, *, by_number: bool
) -> Uids:
    """Searches *mailbox* and writes its line; returns the messages that match."""
    searched, within = await _opened(session, mailbox, located, by_number=by_number)
    if not within:
        return _NONE
    scope = scoped(request.key, searched, session.client.comparator)
    part = part_told(request.return_options, request.page)
    modseq_of = part if scope.mentions(ChangedSince) else None
    found, modseq = await session.seek(located.account.search(mailbox.id, scope.key, within, modseq_of=modseq_of))
    if found and has_response(request.return_options):
        scores = await relevancies(session, located.account, mailbox.id, request, scope.key, found)
        correlators, numbers = _correlators(session, request, mailbox), NumberSet[int](found.runs)
        session.write(esearch_line(correlators, request, numbers, request.return_options, modseq, scores))
    return found


async def _opened(
    session: Conversation, mailbox: Mailbox, located: Located, *, by_number: bool
) -> tuple[Searched, Uids]:
    """What numbers mean in *mailbox*, and a set that has the UIDs of all its messages."""
    view = session.view
    if view is not None and is_selected(session, mailbox, located):
        # a number means what the client was told
        return view, view.uids
    uids = Uids.span(1, mailbox.uidnext - 1) if mailbox.messages else _NONE
    if uids and (by_number or mailbox.messages <= FEW):
        uids = (await session.seek(located.account.search(mailbox.id, All(), uids))).uids
    return Unopened(uids, mailbox.recent), uids


def _correlators(session: Conversation, request: Esearch, mailbox: Mailbox) -> bytes:
    name = encode(mailbox.name, utf8=session.client.utf8)
    return b'TAG "%b" MAILBOX %b UIDVALIDITY %d' % (request.tag, name, mailbox.uidvalidity)


class Unopened:
    """A mailbox that is not selected, as its messages are now."""

    __slots__ = ("_recent", "_uids")

    def __init__(self, uids: Uids, recent: int) -> None:
        """*uids* of all messages; *recent* of them are claimed by no session as \\\\Recent."""
        self._uids = uids
        self._recent = recent

    @property
    def recent(self) -> Uids:
        """See ``Searched``: the last messages, because sessions claim them in order."""
        return self._uids.at(NumberSet.span(len(self._uids) - self._recent + 1, len(self._uids)))

    def among(self, numbers: SequenceSet | SavedResult, *, by_uid: bool) -> Uids:
        """See ``Searched``. The saved result is of the selected mailbox, so here it is empty."""
        return _NONE if isinstance(numbers, SavedResult) else among(self._uids, numbers, by_uid=by_uid)
