"""The lines of FETCH responses (RFC 9051 §7.5.2). Only this module writes how such a line begins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mektup.terms.numbers import ModSeq, Uid

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation
    from mektup.imap.sync.view import View

BEGIN: Final = b"* %d FETCH ("
"""The begin of a line: a format for the sequence number."""

BEFORE_NUMBER, AFTER_NUMBER = BEGIN.split(b"%d")

END: Final = b")\r\n"


def fetch_line(items: bytes) -> bytes:
    """The format of a line: for the sequence number, and then for what *items*, a format too, takes."""
    return BEGIN + items + END


_FLAGS = fetch_line(b"%bFLAGS (%b)%b")
FETCH_MODSEQ: Final = fetch_line(b"UID %d MODSEQ (%d)")
"""The line that tells the modseq of a message: a format for its sequence number, UID and modseq."""


def fetch_flags(session: Conversation, view: View, uid: Uid, word: int, modseq: ModSeq, *, with_uid: bool) -> bytes:
    """The line that tells the flags of a message of *view*.

    May write FLAGS first, for a keyword that is new to the client.
    """
    client, words = session.client, session.flag_words
    spelled = words.with_recent(word) if view.recent and not client.rev2 and uid in view.recent else words[word]
    # RFC 7162 §3.2.4: once the client knows modseqs, every change of flags tells UID and modseq
    uid_item = b"UID %d " % uid if with_uid or client.condstore else b""
    modseq_item = b" MODSEQ (%d)" % modseq if client.condstore else b""
    return _FLAGS % (view.seq(uid), uid_item, spelled, modseq_item)
