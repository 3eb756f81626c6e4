"""The grammar of SELECT's QRESYNC parameter: the state that a returning client knows (RFC 7162 §3.2.5, §7)."""

from __future__ import annotations

from typing import Any

from mektup.terms.errors import ClientError
from mektup.terms.sets import NumberSet
from mektup.wire import texts
from mektup.wire.arguments import sequence_set
from mektup.wire.cursor import CommandCursor
from mektup.wire.requests import KnownState


def known_state(cursor: CommandCursor) -> KnownState:
    """SP "(" uidvalidity SP mod-sequence-value [SP known-uids] [SP seq-match-data] ")". Raises ClientError.

    Liberty: either number may be 0, from clients that have none yet.
    """
    cursor.expect_space(texts.OPENING_AND_KNOWN_STATE)
    cursor.expect_octet(b"(", texts.OPENING_AND_KNOWN_STATE)
    cursor.skip_spaces()
    uidvalidity = cursor.number("UIDVALIDITY")
    cursor.expect_space(texts.A_MODSEQ)
    modseq = cursor.number64(texts.A_MODSEQ)
    uids: NumberSet[Any] | None = None
    sample: tuple[NumberSet[Any], NumberSet[Any]] | None = None
    more = cursor.take_space()
    if more and not cursor.comes(b"(") and not cursor.comes(b")"):
        uids = _without_star(cursor)
        more = cursor.take_space()
    if more and cursor.comes(b"("):
        sample = _sample(cursor)
        cursor.skip_spaces()
    cursor.expect_octet(b")", ")")
    return KnownState(uidvalidity, modseq, uids, sample)


def _sample(cursor: CommandCursor) -> tuple[NumberSet[Any], NumberSet[Any]]:
    """seq-match-data = "(" known-sequence-set SP known-uid-set ")"."""
    column = cursor.column
    cursor.expect_octet(b"(", texts.OPENING_AND_SAMPLE)
    cursor.skip_spaces()
    seqs = _without_star(cursor)
    cursor.expect_space(texts.THEIR_UIDS)
    uids = _without_star(cursor)
    cursor.skip_spaces()
    cursor.expect_octet(b")", ")")
    if len(seqs) != len(uids):
        raise ClientError(texts.AS_MANY_UIDS, column)
    return seqs, uids


def _without_star(cursor: CommandCursor) -> NumberSet[Any]:
    """sequence-set without *."""
    start = cursor.at
    found = sequence_set(cursor)
    if found.names_star:
        cursor.at = start
        raise cursor.wrong(texts.SET_WITHOUT_STAR)
    return found.resolve(0)
