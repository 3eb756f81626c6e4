"""The lines of FETCH responses (RFC 9051 §7.5.2). Only this module writes how such a line begins.

After ENABLE UIDONLY they are UIDFETCH responses: the UID takes the place of the sequence number, and the UID item is
told only where the client asks for it (RFC 9586 §3.3).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice
from typing import TYPE_CHECKING, Final

from mektup.imap.client import Client
from mektup.terms.numbers import ModSeq, Uid
from mektup.terms.sets import Uids
from mektup.wire.fetch_items import FetchItem, Item

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation
    from mektup.imap.sync.view import View

_BEGIN: Final = b"* %d FETCH ("
_BEGIN_BY_UID: Final = b"* %d UIDFETCH ("

END: Final = b")\r\n"

LINES_AT_ONCE = 500
"""Lines that differ only in their numbers are made so many at a time."""


def begin(client: Client) -> bytes:
    """The begin of a line: a format for the sequence number, or for the UID after ENABLE UIDONLY."""
    return _BEGIN_BY_UID if client.uidonly else _BEGIN


def fetch_line(client: Client, items: bytes) -> bytes:
    """The format of a line: for the number as in ``begin``, and then for what *items*, a format too, takes."""
    return begin(client) + items + END


def telling_uid(client: Client, items: tuple[FetchItem, ...]) -> tuple[FetchItem, ...]:
    """*items* with UID before them, unless UID is among them or a line tells it anyway."""
    return items if client.uidonly or Item.UID in items else (Item.UID, *items)


_FLAGS = _BEGIN + b"%bFLAGS (%b)%b" + END
_FLAGS_BY_UID = _BEGIN_BY_UID + b"FLAGS (%b)%b" + END
_MODSEQ = _BEGIN + b"UID %d MODSEQ (%d)" + END
_MODSEQ_BY_UID = _BEGIN_BY_UID + b"MODSEQ (%d)" + END


def fetch_flags(session: Conversation, view: View, uid: Uid, word: int, modseq: ModSeq, *, with_uid: bool) -> bytes:
    """The line that tells the flags of a message of *view*.

    May write FLAGS first, for a keyword that is new to the client.
    """
    client, words = session.client, session.flag_words
    spelled = words.with_recent(word) if view.recent and not client.rev2 and uid in view.recent else words[word]
    modseq_item = b" MODSEQ (%d)" % modseq if client.condstore else b""
    if client.uidonly:
        return _FLAGS_BY_UID % (uid, spelled, modseq_item)
    # RFC 7162 §3.2.4: once the client knows modseqs, every change of flags tells UID and modseq
    uid_item = b"UID %d " % uid if with_uid or client.condstore else b""
    return _FLAGS % (view.seq(uid), uid_item, spelled, modseq_item)


def fetch_modseq(client: Client, view: View, uid: Uid, modseq: ModSeq) -> bytes:
    """The line that tells the modseq of a message of *view*."""
    if client.uidonly:
        return _MODSEQ_BY_UID % (uid, modseq)
    return _MODSEQ % (view.seq(uid), uid, modseq)


def fetch_modseqs(client: Client, view: View, uids: Uids, modseq: ModSeq) -> Iterator[bytes]:
    """The lines that tell the same *modseq* for each of *uids*, which are in *view*; LINES_AT_ONCE at a time."""
    if client.uidonly:
        line, each = fetch_line(client, b"MODSEQ (%d)" % modseq), 1
        numbers: Iterator[int] = iter(uids)
    else:
        line, each = fetch_line(client, b"UID %%d MODSEQ (%d)" % modseq), 2
        numbers = chain.from_iterable(zip(view.seqs(uids), uids, strict=True))
    while some := tuple(islice(numbers, each * LINES_AT_ONCE)):
        yield line * (len(some) // each) % some
