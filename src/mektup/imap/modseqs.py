"""HIGHESTMODSEQ: up to where a client that knows modseqs is told everything (RFC 7162 §3.1, §3.2, §6).

A client keeps one modseq for its mailbox, to come back with after its connection was lost. It reckons it itself: the
highest MODSEQ that it was shown, or what HIGHESTMODSEQ says, which wins. But it may be shown a message's modseq while
it is still owed an expunge, or a change elsewhere, that is older; came it back with that, it would never hear of
these. So the View reckons along (*client_modseq*), and where the client would be ahead of what it was told, or with
QRESYNC behind, the tagged answer says what is right.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mektup.imap.answers import untagged_ok
from mektup.terms.numbers import ModSeq
from mektup.wire import codes

if TYPE_CHECKING:
    from mektup.imap.session import ImapSession


def use(session: ImapSession) -> None:
    """The client knows modseqs from now on, and hears which is its mailbox's where one is open (RFC 7162 §3.1)."""
    if session.condstore:
        return
    session.condstore = True
    view = session.view
    if view is not None:
        view.client_modseq = view.expunged_modseq
        session.write(untagged_ok(codes.highest_modseq(view.client_modseq), b"The latest change"))


def tell_due(session: ImapSession) -> None:
    """Writes an untagged HIGHESTMODSEQ where one is due."""
    modseq = _take_due(session)
    if modseq is not None:
        session.write(untagged_ok(codes.highest_modseq(modseq), b"The latest change"))


def in_answer(session: ImapSession, answer: bytes | None, name: str) -> bytes | None:
    """The OK *answer* of the command *name*, None for the usual text, with HIGHESTMODSEQ in it where one is due."""
    if answer is not None and answer.startswith(b"["):
        # an answer has one code only
        tell_due(session)
        return answer
    modseq = _take_due(session)
    if modseq is None:
        return answer
    return b"%b %b" % (codes.highest_modseq(modseq), answer or b"%b completed" % name.encode("ascii"))


def _take_due(session: ImapSession) -> ModSeq | None:
    view = session.view
    if not session.condstore or view is None or view.client_modseq == view.expunged_modseq:
        return None
    if view.client_modseq < view.expunged_modseq and not session.qresync:
        return None
    view.client_modseq = view.expunged_modseq
    return view.client_modseq
