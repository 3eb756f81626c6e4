"""The one place that tells a client what changed, and decides which changes may be told now.

Every command ends here before its tagged answer (RFC 9051 §5.2). If the watch did not fire, nothing is asked. Else one
query returns the difference from what the client knows. It is told in the only order that keeps both sides in
agreement: first EXPUNGE, if it is allowed now, then EXISTS (and RECENT), then flags.

The results of searches that the client watches (``contexts``) are told in the same moment: what an expunge removes
before EXPUNGE, because sequence numbers must be valid, and everything else at the end (RFC 5267 §4.3.3, §4.3.4).

Where EXPUNGE is not allowed (RFC 9051 §7.5.1), the messages stay in the view, so the numbers do not change, and a later
command tells the expunges.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import aclosing
from gettext import NullTranslations
from typing import TYPE_CHECKING

from mektup.imap import access, texts
from mektup.imap.answers import untagged_no, untagged_ok
from mektup.imap.fetch.lines import fetch_flags, fetch_modseq, fetch_modseqs, telling_uid
from mektup.imap.fetch.plan import Plan
from mektup.imap.sync.contexts import Context, Contexts
from mektup.imap.sync.interests import EVERYTHING, OfSelected
from mektup.store.columns import Column, Row
from mektup.store.interface import Changes, FlagsStored
from mektup.store.rules.mailbox_names import no_such_mailbox
from mektup.terms.errors import ClientError, Code, Refused
from mektup.terms.flags import SYSTEM_FLAG_NAMES
from mektup.terms.numbers import ModSeq, Uid
from mektup.terms.rights import NONE as NO_RIGHTS
from mektup.terms.rights import Rights, permitted
from mektup.terms.sets import NumberSet, Uids
from mektup.terms.sorting import SortKey
from mektup.terms.texts import Text
from mektup.wire import codes
from mektup.wire.fetch_items import Binary, BinarySize, FetchItem, Item
from mektup.wire.requests import Esearch, Search, Sort

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation
    from mektup.imap.sync.view import View

RANGES_OF_LINE = 1000
"""The most ranges of UIDs in one VANISHED response, and the most that are taken out of a view in one turn."""

LINES_BYTES = 64 * 1024
"""Lines are collected up to this many octets, then written."""

SYSTEM_FLAGS = " ".join(SYSTEM_FLAG_NAMES.values())
"""For FLAGS."""


def flags_line(keywords: tuple[str, ...]) -> bytes:
    """``* FLAGS (...)``: every flag that this mailbox knows (RFC 9051 §7.3.5)."""
    return f"* FLAGS ({' '.join((SYSTEM_FLAGS, *keywords))})\r\n".encode("ascii")


def permanent_flags_line(keywords: tuple[str, ...], translation: NullTranslations, rights: Rights) -> bytes:
    """``* OK [PERMANENTFLAGS ...]``: the flags that a client with *rights* can change (RFC 9051 §7.1, RFC 4314 §5.1.1).

    Without any rights: the mailbox is read-only.
    """
    flags = permitted((*SYSTEM_FLAG_NAMES.values(), *keywords), rights)
    text = texts.FLAGS_ARE_KEPT if flags else texts.NO_FLAGS
    return untagged_ok(codes.permanent_flags(flags, new_keywords="w" in rights), text, translation)


async def tell_vanished(session: Conversation, uids: Uids, *, earlier: bool = False) -> None:
    """Writes ``* VANISHED`` with *uids*, nothing for no UIDs (RFC 7162 §3.2.10).

    *earlier*: the messages were expunged before they could be in the view.
    """
    await write_lines(session, vanished_lines(uids, earlier=earlier))


def vanished_lines(uids: Uids, *, earlier: bool = False) -> Iterator[bytes]:
    """The lines of ``tell_vanished``: several for many UIDs, because some clients have a buffer for one line."""
    word = b"* VANISHED (EARLIER) %b\r\n" if earlier else b"* VANISHED %b\r\n"
    for some in uids.pieces(RANGES_OF_LINE):
        yield word % bytes(some)


async def write_lines(session: Conversation, lines: Iterable[bytes]) -> None:
    """Writes *lines*, some at a time, because there may be many or long ones."""
    some: list[bytes] = []
    octets = 0
    for line in lines:
        some.append(line)
        octets += len(line)
        if octets > LINES_BYTES:
            session.write(b"".join(some))
            some.clear()
            octets = 0
            await session.give_way()
    if some:
        session.write(b"".join(some))
        await session.give_way()


async def look(session: Conversation) -> None:
    """Fires the watch if the store has changes: a notice from another process may still be on its way.

    Raises Refused(NONEXISTENT) when the mailbox was deleted.
    """
    view = session.view
    if view is None or view.watch.fired:
        return
    if view.contexts is not None:
        age(view)
    if not view.watch.fired and await view.account.modseq(view.mailbox) != view.modseq:
        view.watch.fire()


def age(view: View) -> None:
    """Fires the watch if a watched search must be evaluated because of the time that has passed (RFC 5032 §2)."""
    contexts = _contexts(view)
    if contexts is not None and contexts.have_aged:
        view.watch.fire()


async def follow_rights(session: Conversation) -> None:
    """Reads what the client may do now with the selected mailbox of another user, and tells a change.

    RFC 4314 §5.1.1: FLAGS and PERMANENTFLAGS. Raises Refused(NONEXISTENT) where it may not read the mailbox any more,
    or where that is gone.
    """
    view = session.selected
    rights = (await access.rights_in(session, view.account)).get(view.mailbox, NO_RIGHTS)
    if rights == view.rights:
        return
    if "r" not in rights:
        raise no_such_mailbox()
    before = view.flag_rights
    view.allow(rights)
    if view.flag_rights != before:
        session.write(flags_line(view.keywords))
        session.write(permanent_flags_line(view.keywords, session.translation, view.flag_rights))


async def tell(
    session: Conversation,
    *,
    expunges: bool,
    with_uid: bool = False,
    show: Uids | None = None,
    own_expunges: bool = False,
    wanted: OfSelected | None = None,
) -> None:
    """Tells the client what changed in its selected mailbox, if the watch fired.

    *expunges*: whether EXPUNGE is allowed. *with_uid*: FETCH lines carry the UID (RFC 9051 §6.4.9). *show*: tell the
    flags of these messages too, changed or not. *own_expunges*: the command removed messages, and EXPUNGE is its
    answer. *wanted*: what to tell the client, if not what its NOTIFY asked for.

    Raises Refused(NONEXISTENT) when the mailbox was deleted. If the store cannot answer, everything is told later.
    """
    view = session.view
    if view is None:
        return
    if not view.watch.fired and show is None and not (expunges and view.has_untold_expunges):
        return
    if not view.is_own:
        await follow_rights(session)
    if view.untold:
        show = view.untold if show is None else show | view.untold
    if wanted is None:
        wanted = EVERYTHING if session.notifications is None else session.notifications.interests.selected
    with_uid = with_uid or wanted is not EVERYTHING  # RFC 5465 §5.1
    is_behind = view.watch.fired
    view.watch.rearm()
    try:
        if wanted.messages:
            await _tell(session, view, wanted, expunges=expunges, with_uid=with_uid, show=show)
        else:
            await _tell_asked(session, view, expunges=own_expunges, with_uid=with_uid, show=show)
            if is_behind:
                view.watch.fire()
    except Refused:
        tell_later(view, show or NumberSet())
        raise
    view.untold = NumberSet()


async def catch_up(session: Conversation, *, expunges: bool) -> None:
    """Tells everything, also what the client did not want to be told of until now (RFC 5465 §3.1).

    Raises Refused as ``tell`` does.
    """
    view = session.view
    if view is not None:
        await look(session)
        await tell(session, expunges=expunges, with_uid=True, show=view.muted or None, wanted=EVERYTHING)
        view.unmute()


async def _tell_asked(session: Conversation, view: View, *, expunges: bool, with_uid: bool, show: Uids | None) -> None:
    """Tells a client that wants no news what its own command did; the view stays behind (RFC 5465 §5)."""
    if expunges:
        changes = await view.account.changes(
            view.mailbox,
            since=view.modseq,
            expunged_since=view.expunged_modseq,
            uidnext=view.uidnext,
            claim_recent=False,
        )
        gone = changes.expunged & view.uids
        await _remove_results(session, view, gone)
        await _write_expunges(session, view, gone)
    else:
        await view.account.modseq(view.mailbox)  # raises if the mailbox is gone
    if show is not None:
        await show_flags(session, view, show & view.uids, with_uid=with_uid)


async def _tell(
    session: Conversation,
    view: View,
    wanted: OfSelected,
    *,
    expunges: bool,
    with_uid: bool,
    show: Uids | None,
) -> None:
    changes = await view.account.changes(
        view.mailbox,
        since=view.modseq,
        expunged_since=view.expunged_modseq,
        uidnext=view.uidnext,
        claim_recent=view.claims_recent and not session.client.rev2,
    )
    # many sessions may have waited for the same change
    await session.give_way()
    contexts = _contexts(view)
    if contexts is not None:
        contexts.owe(arrived=changes.arrived, changed=changes.changed)
    tell_keywords(session, view, changes.keywords)
    await _tell_expunges(session, view, changes, expunges=expunges)
    if view.arrive(changes):
        session.write(b"* %d EXISTS\r\n" % len(view))
        if not session.client.rev2:
            session.write(b"* %d RECENT\r\n" % len(view.recent))
        if wanted.items and session.notifications is not None:
            await _show_arrived(
                session, view, changes.arrived - session.notifications.take_own_arrivals(), wanted.items
            )
    told: Uids = NumberSet()
    if wanted.flags:
        told = await _tell_flags(session, view, changes, show or NumberSet(), with_uid=with_uid)
    else:
        view.mute((changes.changed & view.uids) - (show or NumberSet()))
    view.modseq = changes.modseq
    view.watch.knows(changes.modseq)
    if show is not None and (untold := (show & view.uids) - told):
        await show_flags(session, view, untold, with_uid=with_uid)
    if contexts is not None:
        await _tell_contexts(session, view, contexts)


def tell_keywords(session: Conversation, view: View, keywords: Iterable[str]) -> None:
    """Writes FLAGS and PERMANENTFLAGS if one of *keywords*, as the store spells them, is new to the client."""
    if keywords != view.keywords and (new := view.new_keywords(keywords)):
        view.learn(new)
        session.write(flags_line(view.keywords))
        session.write(permanent_flags_line(view.keywords, session.translation, view.flag_rights))


async def _tell_expunges(session: Conversation, view: View, changes: Changes, *, expunges: bool) -> None:
    gone = changes.expunged & view.uids
    await _remove_results(session, view, gone)
    view.has_untold_expunges = bool(gone) and not expunges
    if view.has_untold_expunges:
        return
    await _write_expunges(session, view, gone)
    view.expunged_modseq = changes.modseq


async def _remove_results(session: Conversation, view: View, gone: Uids) -> None:
    """Takes expunged messages out of the results of watched searches.

    RFC 5267 §4.3.4: before EXPUNGE, while their numbers are valid. It may also be told while EXPUNGE may not.
    """
    for context in _contexts(view) or ():
        await write_lines(session, context.remove(view, gone))


async def _write_expunges(session: Conversation, view: View, gone: Uids) -> None:
    for some in gone.pieces(RANGES_OF_LINE):
        seqs = view.expunge(some)
        # RFC 7162 §3.2.10: VANISHED names only messages that the client knows
        if session.client.hears_vanished:
            await tell_vanished(session, some)
        else:
            await write_lines(session, (b"* %d EXPUNGE\r\n" % seq for seq in seqs))


async def _show_arrived(session: Conversation, view: View, arrived: Uids, items: tuple[FetchItem, ...]) -> None:
    """Writes a FETCH line for each new message, with the *items* that the client wants (RFC 5465 §5.2, §7)."""
    items = telling_uid(session.client, items)
    if session.client.condstore and Item.MODSEQ not in items:
        items = (*items, Item.MODSEQ)  # RFC 7162 §3.1: in all lines that the client did not ask for
    plan = Plan(session, view, items)
    if not any(isinstance(item, Binary | BinarySize) for item in items):
        await plan.answer(arrived)
        return
    for uid in arrived:
        try:
            await plan.answer(NumberSet.of((uid,)))
        except Refused as refusal:
            # it cannot be decoded; RFC 5465 §5.2 tells clients not to ask for what a message may not have
            if refusal.code is not Code.UNKNOWN_CTE:
                raise


async def _tell_flags(session: Conversation, view: View, changes: Changes, asked: Uids, *, with_uid: bool) -> Uids:
    """Writes the FETCH lines of changed flags; returns their UIDs.

    RFC 9051 §7.5.2: in rev2, lines that the client has not *asked* for carry the UID.
    """
    told = changes.changed & view.uids
    await session.give_way()
    if changes.flags is None:
        await show_flags(session, view, told & asked, with_uid=with_uid)
        await show_flags(session, view, told - asked, with_uid=with_uid or session.client.rev2)
        return told
    rows = [row for row in changes.flags if row[0] in told]
    lines = (
        fetch_flags(session, view, uid, word, modseq, with_uid=with_uid or (session.client.rev2 and uid not in asked))
        for uid, word, modseq in rows
    )
    await write_lines(session, lines)
    view.show_modseq(max([modseq for _, _, modseq in rows], default=ModSeq(0)))
    return told


def follow(view: View, stored: FlagsStored) -> bool:
    """Moves *view* over a change of flags that this session made; the caller tells its client what it asked for.

    Returns False and moves nothing if another session made a change just before: the client must then see the result
    of both.
    """
    if stored.previous != view.modseq:
        return False
    view.modseq = stored.modseq
    if not view.has_untold_expunges:
        view.expunged_modseq = stored.modseq
    view.watch.knows(stored.modseq)
    contexts = _contexts(view)
    if contexts is not None:
        contexts.owe(changed=stored.changed)
        view.watch.fire()
    return True


def _contexts(view: View) -> Contexts | None:
    contexts = view.contexts
    return contexts if isinstance(contexts, Contexts) else None


async def _tell_contexts(session: Conversation, view: View, contexts: Contexts) -> None:
    """Tells how the results of *contexts* changed. Raises Refused; what was not told yet is told later."""
    aged = contexts.have_aged
    shown: dict[tuple[FetchItem, ...], Uids] = {}
    for context in contexts:
        try:
            gone, new = await session.seek(context.differences(view, contexts.owed(context, view, aged=aged)))
            await write_lines(session, context.remove(view, gone))
            if context.items and (arrived := contexts.arrived(new) - shown.get(context.items, NumberSet())):
                # RFC 5465 §7: before ADDTO, and only for new messages
                await _show_arrived(session, view, arrived, context.items)
                shown[context.items] = arrived | shown.get(context.items, NumberSet())
            if new:
                await write_lines(session, await session.seek(context.add(view, new)))
        except Refused as refusal:
            if refusal.code is not Code.LIMIT:
                raise
            _end_context(session, view, context.tag, texts.CONTEXT_TOO_SLOW)
        else:
            if contexts.octets > session.services.limits.context_bytes:
                _end_context(session, view, context.tag, texts.CONTEXT_TOO_LARGE)
    contexts.paid(aged=aged)


def check_tag(view: View, request: Search | Sort | Esearch) -> None:
    """Raises ClientError where a context has the tag of *request*, which asks for another one (RFC 5267 §4.3)."""
    if request.tag in (_contexts(view) or ()):
        raise ClientError(texts.TAG_IN_USE)


def keep_informed(
    session: Conversation,
    request: Search | Sort | Esearch,
    found: Uids | Sequence[Uid],
    correlators: bytes | None = None,
    *,
    is_whole: bool = True,
) -> None:
    """From now on tells changes of the result of *request*, which is *found* now (RFC 5267 §4.3).

    *correlators*: those of the responses, if there is more than the tag. *is_whole*: whether all messages were
    searched. Writes NOUPDATE instead where a limit is reached (RFC 5267 §4.3.1).
    """
    view, limits = session.selected, session.services.limits
    contexts = _contexts(view) or Contexts()
    context = Context(request, view, found, correlators or b'TAG "%b"' % request.tag, session.client.comparator)
    if len(contexts) >= limits.contexts:
        reason = texts.TOO_MANY_CONTEXTS
    elif not is_whole or contexts.octets + context.octets > limits.context_bytes:
        reason = texts.CONTEXT_TOO_LARGE
    elif isinstance(request, Sort) and SortKey.RELEVANCY in [criterion.key for criterion in request.criteria]:
        # a message's relevancy changes with the other messages, and so its place would (RFC 6203 §4)
        reason = texts.CONTEXT_OF_RELEVANCY
    else:
        contexts.add(context)
        view.contexts = contexts
        return
    _end_context(session, view, request.tag, reason)


def _end_context(session: Conversation, view: View, tag: bytes, reason: Text) -> None:
    """Tells that the results of the search with *tag* are not kept, and forgets its context, if there is one."""
    session.write(untagged_no(codes.no_update(tag), reason, session.translation))
    cancel_updates(view, tag)


def end_numbered_contexts(session: Conversation) -> None:
    """Ends the contexts whose results are sequence numbers: the client uses none any more (RFC 9586 §3)."""
    view = session.view
    if view is not None:
        for context in _contexts(view) or ():
            if not context.by_uid:
                _end_context(session, view, context.tag, texts.CONTEXT_OF_NUMBERS)


def cancel_updates(view: View, tag: bytes) -> None:
    """Tells no more changes of the results of the search with *tag* (RFC 5267 §4.3.5)."""
    contexts = _contexts(view)
    if contexts is not None:
        contexts.cancel(tag)
        if not contexts:
            view.contexts = None


def tell_later(view: View, uids: Uids) -> None:
    """Records that the flags of *uids* and other changes could not be told; a later command tells them."""
    view.untold = view.untold | uids
    view.watch.fire()


async def show_flags(session: Conversation, view: View, uids: Uids, *, with_uid: bool) -> None:
    """Writes a FETCH line with the flags of each of *uids*, which are in the view; nothing for no UIDs."""
    if not uids:
        return
    async with aclosing(view.account.fetch(view.mailbox, uids, (Column.FLAGS, Column.MODSEQ))) as slices:
        async for rows in slices:
            await tell_flags(session, view, rows, with_uid=with_uid)


async def tell_flags(session: Conversation, view: View, rows: Sequence[Row], *, with_uid: bool) -> None:
    """Writes a FETCH line with the flags of each of *rows*: a UID of the view, flag word, and modseq."""
    if len(rows) == 1:
        # a STORE of one message: clients send thousands of them
        uid, word, modseq = rows[0]
        session.write(fetch_flags(session, view, uid, word, modseq, with_uid=with_uid))
        view.show_modseq(modseq)
        return
    await write_lines(
        session,
        (fetch_flags(session, view, uid, word, modseq, with_uid=with_uid) for uid, word, modseq in rows),
    )
    view.show_modseq(max([modseq for _, _, modseq in rows], default=ModSeq(0)))


async def tell_modseqs(session: Conversation, view: View, rows: Sequence[Row]) -> None:
    """Writes a FETCH line with the modseq of each of *rows*, as ``tell_flags`` takes them."""
    await write_lines(session, (fetch_modseq(session.client, view, uid, modseq) for uid, _, modseq in rows))
    view.show_modseq(max([modseq for _, _, modseq in rows], default=ModSeq(0)))


async def tell_modseq(session: Conversation, view: View, uids: Uids, modseq: ModSeq) -> None:
    """Writes a FETCH line with *modseq* for each of *uids*, which are in the view."""
    for lines in fetch_modseqs(session.client, view, uids, modseq):
        session.write(lines)
        await session.peer.drain()
    view.show_modseq(modseq)
