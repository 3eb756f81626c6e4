"""SELECT and EXAMINE (RFC 9051 §6.3.2, §6.3.3; RFC 3501 §6.3.1 for the additions of rev1)."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from gettext import NullTranslations
from typing import TYPE_CHECKING

from mektup.imap import access, texts
from mektup.imap.answers import Answer, untagged_ok
from mektup.imap.list_line import list_line, old_name
from mektup.imap.sync import modseqs, updates
from mektup.imap.sync.resync import resync
from mektup.imap.sync.view import View
from mektup.store.interface import Selection
from mektup.terms.errors import ClientError, Refused
from mektup.terms.numbers import ModSeq, Seq, Uid, UidValidity
from mektup.terms.rights import Rights
from mektup.wire import codes
from mektup.wire.requests import Select

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation

OPENED = Answer(codes.READ_WRITE, texts.OPENED)
OPENED_READ_ONLY = Answer(codes.READ_ONLY, texts.OPENED)


async def run(session: Conversation, request: Select) -> Answer:
    """Opens a mailbox. If that fails, no mailbox is selected. HIGHESTMODSEQ is always told (RFC 7162 §3.1.2).

    Raises Refused(NONEXISTENT), and ClientError for QRESYNC if it was not enabled.
    """
    if request.qresync is not None and not session.client.qresync:
        raise ClientError(texts.NEEDS_QRESYNC)
    if session.view is not None:
        session.unselect()
        session.write(untagged_ok(codes.CLOSED, texts.CLOSED, session.translation))
    if request.condstore:
        modseqs.use(session)
    located = await access.locate(session, request.mailbox, "r")
    account = located.account
    claims = located.is_own and not request.read_only and not session.client.rev2
    selection = await account.select(located.name, claim_recent=claims)
    located.check(selection.mailbox.id)
    watch = account.watch(selection.mailbox.id)
    # a change between the two calls would be missed, so the first command asks the store
    watch.fire()
    view = View(
        _named(selection, located),
        account,
        watch,
        read_only=request.read_only,
        rights=located.rights,
        is_own=located.is_own,
    )
    session.select(view)
    session.write(_summary(session, request, view, selection))
    if request.qresync is not None:
        try:
            await resync(session, selection.mailbox, request.qresync)
        except Refused:
            session.unselect()
            raise
    return OPENED_READ_ONLY if view.read_only else OPENED


def _named(selection: Selection, located: access.Located) -> Selection:
    """*selection* with the name that this client uses for the mailbox."""
    if located.name == located.shown:
        return selection
    return replace(selection, mailbox=replace(selection.mailbox, name=located.shown))


def _summary(session: Conversation, request: Select, view: View, selection: Selection) -> bytes:
    mailbox, unseen = selection.mailbox, selection.first_unseen
    numbers = (mailbox.mailboxid, len(view), mailbox.uidvalidity, mailbox.uidnext, mailbox.highestmodseq)
    if session.client.rev2:
        named = list_line(view.name, (), utf8=True, extended=old_name(request.old_name))
        return _lines(session.translation, view.keywords, view.flag_rights, *numbers) + named
    # UNSEEN is a sequence number (RFC 9586 §3)
    first = None if unseen is None or session.client.uidonly else view.seq(unseen)
    recent = len(view.recent)
    return _lines(session.translation, view.keywords, view.flag_rights, *numbers, recent, first)


@lru_cache(maxsize=64)
def _lines(
    translation: NullTranslations,
    keywords: tuple[str, ...],
    rights: Rights,
    mailboxid: str,
    exists: int,
    uidvalidity: UidValidity,
    uidnext: Uid,
    highestmodseq: ModSeq,
    recent: int | None = None,
    unseen: Seq | None = None,
) -> bytes:
    """The answer to every session that opens a mailbox in this state; *recent* and *unseen* for rev1 only."""
    lines = [
        # RFC 8474 §4.2: every answer to SELECT and EXAMINE has it
        untagged_ok(codes.mailbox_id(mailboxid), texts.MAILBOX_IS, translation),
        updates.flags_line(keywords),
        updates.permanent_flags_line(keywords, translation, rights),
        b"* %d EXISTS\r\n" % exists,
    ]
    # RFC 9051 §A: rev2 has no RECENT and UNSEEN
    if recent is not None:
        lines.append(b"* %d RECENT\r\n" % recent)
    if unseen is not None:
        lines.append(untagged_ok(codes.unseen(unseen), texts.FIRST_UNSEEN, translation))
    lines += [
        untagged_ok(codes.uid_validity(uidvalidity), texts.UIDS_ARE_VALID, translation),
        untagged_ok(codes.uid_next(uidnext), texts.NEXT_UID, translation),
        untagged_ok(codes.highest_modseq(highestmodseq), texts.LATEST_CHANGE, translation),
    ]
    return b"".join(lines)
