"""STORE (RFC 9051 §6.4.6), with UNCHANGEDSINCE of RFC 7162 §3.1.3."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING

from msgspec.structs import replace

from mektup.imap import message_limit, texts
from mektup.imap.answers import Answer
from mektup.imap.fetch.lines import telling_uid
from mektup.imap.fetch.plan import Plan
from mektup.imap.permitted_flags import replace_permitted
from mektup.imap.pipelining import pipelined
from mektup.imap.sync import modseqs, updates
from mektup.store.interface import FlagOrder, FlagsStored
from mektup.terms.errors import Code, Refused
from mektup.terms.flags import FlagChange
from mektup.terms.numbers import ModSeq
from mektup.terms.rights import FLAGGING, permitted
from mektup.terms.sets import Uids
from mektup.wire import codes
from mektup.wire.fetch_items import Item
from mektup.wire.requests import Store

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation
    from mektup.imap.sync.view import View


IN_TURN = 64
"""The most pipelined STOREs that are done in one transaction, and the most messages that each may name."""


async def run(session: Conversation, request: Store) -> Answer | None:
    """Changes flags and, unless .SILENT is given, tells them. Raises Refused when read-only, or Refused(LIMIT)."""
    view = session.selected
    view.check_writable()
    if not view.is_own and not view.rights >= FLAGGING:
        request = _permitted(request, view)
    asked = view.resolve(request.numbers, by_uid=request.by_uid)
    uids = message_limit.processed(session, asked)
    if uids is not asked:
        return message_limit.told(session, asked, uids, await _run_one(session, request, uids))
    if view.rights >= FLAGGING and _is_small(session, request, uids) and (more := _pipelined(session)):
        return await _run_in_turn(session, [(request, uids), *more])
    return await _run_one(session, request, uids)


async def _run_one(session: Conversation, request: Store, uids: Uids) -> Answer | None:
    view, since = session.selected, None
    if request.unchanged_since is not None:
        since = ModSeq(request.unchanged_since)
        modseqs.use(session)
    if request.change is FlagChange.REPLACE and not view.rights >= FLAGGING:
        stored = await replace_permitted(view, uids, request.flags, since)
    else:
        stored = await view.account.store_flags(
            view.mailbox, uids, request.change, frozenset(request.flags), unchanged_since=since
        )
    await _tell(session, request, uids, stored)
    if stored.failed:
        failed = stored.failed if request.by_uid else view.seqs(stored.failed)
        return Answer(codes.modified(failed), texts.SOME_CHANGED)
    return None


def _permitted(request: Store, view: View) -> Store:
    """*request* with the flags that the client may change; fails only if it may change none (RFC 4314 §4)."""
    flags = permitted(request.flags, view.rights)
    if not flags and (request.flags or not view.flag_rights):
        raise Refused(Code.NOPERM, texts.NO_RIGHT)
    return replace(request, flags=tuple(flags))


def _is_small(session: Conversation, request: Store, uids: Uids) -> bool:
    if request.unchanged_since is not None or len(uids) > IN_TURN:
        return False
    return message_limit.processed(session, uids) is uids


def _pipelined(session: Conversation) -> list[tuple[Store, Uids]]:
    """The pipelined STOREs after this one, up to one that is not small."""
    return list(takewhile(lambda each: _is_small(session, *each), pipelined(session, Store, IN_TURN - 1)))


async def _run_in_turn(session: Conversation, batch: list[tuple[Store, Uids]]) -> Answer | None:
    """Does several STOREs in one transaction, and answers all but the last, which the caller answers."""
    view = session.selected
    orders = [FlagOrder(uids, request.change, frozenset(request.flags)) for request, uids in batch]
    try:
        stored = await view.account.store_flags_in_turn(view.mailbox, orders)
    except Refused:
        # the transaction changed nothing; done one by one, only those fail that must
        return await _run_one_by_one(session, batch)
    for at, ((request, uids), done) in enumerate(zip(batch, stored, strict=True)):
        if at:
            session.go_on(request)
        await _tell(session, request, uids, done)
    return None


async def _run_one_by_one(session: Conversation, batch: list[tuple[Store, Uids]]) -> Answer | None:
    outcome: Answer | Refused | None = None
    for at, (request, uids) in enumerate(batch):
        if at:
            session.go_on(request, outcome)
        try:
            outcome = await _run_one(session, request, uids)
        except Refused as refusal:
            outcome = refusal
    if isinstance(outcome, Refused):
        raise outcome
    return outcome


async def _tell(session: Conversation, request: Store, uids: Uids, stored: FlagsStored) -> None:
    """Tells the outcome. Never raises Refused: the flags are changed, and what cannot be told now is told later."""
    try:
        view = session.selected
        conditional = request.unchanged_since is not None
        if not updates.follow(view, stored):
            show = uids if conditional or not request.silent else None
            await updates.tell(session, expunges=False, with_uid=request.by_uid, show=show)
            return
        if stored.keywords:
            updates.tell_keywords(session, view, stored.keywords)
        if not request.silent:
            if stored.flags is not None:
                await updates.tell_flags(session, view, stored.flags, with_uid=request.by_uid)
            else:
                await updates.show_flags(session, view, uids - stored.failed, with_uid=request.by_uid)
        elif session.client.condstore:
            # RFC 7162 §3.1.3: a client that knows modseqs is told the new ones. With UNCHANGEDSINCE, it is told the
            # modseq of every message that passed the test, changed or not.
            passed = uids - stored.failed if conditional else stored.changed
            if stored.flags is not None:
                await updates.tell_modseqs(session, view, [row for row in stored.flags if row[0] in passed])
            elif conditional:
                await Plan(session, view, telling_uid(session.client, (Item.MODSEQ,))).answer(passed)
            else:
                await updates.tell_modseq(session, view, passed, stored.modseq)
        if stored.failed:
            # RFC 7162 §3.1.3: it is RECOMMENDED to tell the present flags, so that the client need not ask
            await updates.show_flags(session, view, stored.failed, with_uid=True)
    except Refused:
        owed = uids if not request.silent or session.client.condstore else stored.failed
        updates.tell_later(session.selected, owed)
