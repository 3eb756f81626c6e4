"""The grammar of SELECT's QRESYNC parameter: the state that a returning client knows (RFC 7162 §3.2.5, §7)."""

from __future__ import annotations

from typing import Any, Final

from mektup.terms.errors import ClientError
from mektup.terms.sets import NumberSet
from mektup.wire.arguments import sequence_set
from mektup.wire.cursor import CommandCursor
from mektup.wire.requests import KnownState

_WHAT: Final = "UIDVALIDITY and a modseq, such as (7 12)"
_SAMPLE: Final = "sequence numbers and their UIDs, such as (1:3,7 4:6,12)"


def known_state(cursor: CommandCursor) -> KnownState:
    """SP "(" uidvalidity SP mod-sequence-value [SP known-uids] [SP seq-match-data] ")". Raises ClientError.

    Liberty: either number may be 0, from clients that have none yet.
    """
    cursor.expect_space(f"( and {_WHAT}")
    cursor.expect_octet(b"(", f"( and {_WHAT}")
    cursor.skip_spaces()
    uidvalidity = cursor.number("UIDVALIDITY")
    cursor.expect_space("a modseq")
    modseq = cursor.number64("a modseq")
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
    cursor.expect_octet(b"(", f"( and {_SAMPLE}")
    cursor.skip_spaces()
    seqs = _without_star(cursor)
    cursor.expect_space("the UIDs of these sequence numbers")
    uids = _without_star(cursor)
    cursor.skip_spaces()
    cursor.expect_octet(b")", ")")
    if len(seqs) != len(uids):
        raise ClientError("Expected as many UIDs as sequence numbers", column)
    return seqs, uids


def _without_star(cursor: CommandCursor) -> NumberSet[Any]:
    """sequence-set without *."""
    start = cursor.at
    found = sequence_set(cursor)
    if found.names_star:
        cursor.at = start
        raise cursor.wrong("a set without *")
    return found.resolve(0)
