"""The one place that tells a client what changed, and decides which changes may be told now.

Every command ends here before its tagged answer (RFC 9051 §5.2). If the watch did not fire, nothing is asked. Else one
query returns the difference from what the client knows. It is told in the only order that keeps both sides in
agreement: first EXPUNGE, if it is allowed now, then EXISTS (and RECENT), then flags.

Where EXPUNGE is not allowed (RFC 9051 §7.5.1), the messages stay in the view, so the numbers do not change, and a later
command tells the expunges.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import aclosing
from gettext import NullTranslations
from itertools import chain, islice
from typing import TYPE_CHECKING

from mektup.imap import texts
from mektup.imap.answers import untagged_ok
from mektup.imap.fetch.lines import FETCH_MODSEQ, fetch_flags, fetch_line
from mektup.store.interface import Account, Changes, Column, FlagsStored, Row
from mektup.terms.errors import Refused
from mektup.terms.flags import SYSTEM_FLAG_NAMES
from mektup.terms.numbers import ModSeq
from mektup.terms.sets import NumberSet, Uids
from mektup.wire import codes

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation
    from mektup.imap.sync.view import View

RANGES_OF_LINE = 1000
"""The most ranges of UIDs in one VANISHED response, and the most that are taken out of a view in one turn."""

LINES_BYTES = 64 * 1024
"""Lines are collected up to this many octets, then written."""

LINES_AT_ONCE = 500
"""Lines that differ only in their numbers are made so many at a time."""

SYSTEM_FLAGS = " ".join(SYSTEM_FLAG_NAMES.values())


def flags_line(keywords: tuple[str, ...]) -> bytes:
    """``* FLAGS (...)``: every flag that this mailbox knows (RFC 9051 §7.3.5)."""
    return f"* FLAGS ({' '.join((SYSTEM_FLAGS, *keywords))})\r\n".encode("ascii")


def permanent_flags_line(keywords: tuple[str, ...], translation: NullTranslations, *, read_only: bool) -> bytes:
    """``* OK [PERMANENTFLAGS ...]``: the flags that can be changed permanently (RFC 9051 §7.1)."""
    flags = () if read_only else (SYSTEM_FLAGS, *keywords)
    text = texts.NO_FLAGS if read_only else texts.FLAGS_ARE_KEPT
    return untagged_ok(codes.permanent_flags(flags, new_keywords=not read_only), text, translation)


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
    view, account = session.view, session.account
    if view is None or account is None or view.watch.fired:
        return
    if await account.modseq(view.mailbox) != view.modseq:
        view.watch.fire()


async def tell(
    session: Conversation,
    *,
    expunges: bool,
    with_uid: bool = False,
    show: Uids | None = None,
) -> None:
    """Tells the client what changed in its selected mailbox, if the watch fired.

    *expunges*: whether EXPUNGE is allowed. *with_uid*: FETCH lines carry the UID (RFC 9051 §6.4.9). *show*: tell the
    flags of these messages too, changed or not.

    Raises Refused(NONEXISTENT) when the mailbox was deleted. If the store cannot answer, everything is told later.
    """
    view, account = session.view, session.account
    if view is None or account is None:
        return
    if not view.watch.fired and show is None and not (expunges and view.has_untold_expunges):
        return
    if view.untold:
        show = view.untold if show is None else show | view.untold
    view.watch.rearm()
    try:
        await _tell(session, view, account, expunges=expunges, with_uid=with_uid, show=show)
    except Refused:
        tell_later(view, show or NumberSet())
        raise
    view.untold = NumberSet()


async def _tell(
    session: Conversation, view: View, account: Account, *, expunges: bool, with_uid: bool, show: Uids | None
) -> None:
    changes = await account.changes(
        view.mailbox,
        since=view.modseq,
        expunged_since=view.expunged_modseq,
        uidnext=view.uidnext,
        claim_recent=not view.read_only and not session.client.rev2,
    )
    # many sessions may have waited for the same change
    await session.give_way()
    tell_keywords(session, view, changes.keywords)
    await _tell_expunges(session, view, changes, expunges=expunges)
    if view.arrive(changes):
        session.write(b"* %d EXISTS\r\n" % len(view))
        if not session.client.rev2:
            session.write(b"* %d RECENT\r\n" % len(view.recent))
    told = await _tell_flags(session, view, account, changes, show or NumberSet(), with_uid=with_uid)
    view.modseq = changes.modseq
    view.watch.knows(changes.modseq)
    if show is not None and (untold := (show & view.uids) - told):
        await show_flags(session, view, untold, with_uid=with_uid)


def tell_keywords(session: Conversation, view: View, keywords: Iterable[str]) -> None:
    """Writes FLAGS and PERMANENTFLAGS if one of *keywords*, as the store spells them, is new to the client."""
    if keywords != view.keywords and (new := view.new_keywords(keywords)):
        view.learn(new)
        session.write(flags_line(view.keywords))
        session.write(permanent_flags_line(view.keywords, session.translation, read_only=view.read_only))


async def _tell_expunges(session: Conversation, view: View, changes: Changes, *, expunges: bool) -> None:
    gone = changes.expunged & view.uids
    view.has_untold_expunges = bool(gone) and not expunges
    if view.has_untold_expunges:
        return
    for some in gone.pieces(RANGES_OF_LINE):
        seqs = view.expunge(some)
        # RFC 7162 §3.2.10: VANISHED replaces EXPUNGE from now on, and names only messages that the client knows
        if session.client.qresync:
            await tell_vanished(session, some)
        else:
            await write_lines(session, (b"* %d EXPUNGE\r\n" % seq for seq in seqs))
    view.expunged_modseq = changes.modseq


async def _tell_flags(
    session: Conversation, view: View, account: Account, changes: Changes, asked: Uids, *, with_uid: bool
) -> Uids:
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
    return True


def tell_later(view: View, uids: Uids) -> None:
    """Records that the flags of *uids* and other changes could not be told; a later command tells them."""
    view.untold = view.untold | uids
    view.watch.fire()


async def show_flags(session: Conversation, view: View, uids: Uids, *, with_uid: bool) -> None:
    """Writes a FETCH line with the flags of each of *uids*, which are in the view; nothing for no UIDs."""
    assert session.account is not None
    if not uids:
        return
    async with aclosing(session.account.fetch(view.mailbox, uids, (Column.FLAGS, Column.MODSEQ))) as slices:
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
    await write_lines(session, (FETCH_MODSEQ % (view.seq(uid), uid, modseq) for uid, _, modseq in rows))
    view.show_modseq(max([modseq for _, _, modseq in rows], default=ModSeq(0)))


async def tell_modseq(session: Conversation, view: View, uids: Uids, modseq: ModSeq) -> None:
    """Writes a FETCH line with *modseq* for each of *uids*, which are in the view."""
    line = fetch_line(b"UID %%d MODSEQ (%d)" % modseq)
    numbers = chain.from_iterable(zip(view.seqs(uids), uids, strict=True))
    while some := tuple(islice(numbers, 2 * LINES_AT_ONCE)):
        session.write(line * (len(some) // 2) % some)
        await session.peer.drain()
    view.show_modseq(modseq)
