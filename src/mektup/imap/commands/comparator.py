"""COMPARATOR (RFC 5255 §4.7): how SEARCH, SORT and THREAD compare texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from mektup.imap import texts
from mektup.terms.comparators import Comparator, matching
from mektup.terms.errors import Code, Refused
from mektup.wire.requests import ChooseComparator
from mektup.wire.strings import astring

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation


async def run(session: Conversation, request: ChooseComparator) -> None:
    """Makes the first comparator that matches active, and tells which ones match; without patterns tells the active.

    Raises Refused(BADCOMPARATOR) where none matches.
    """
    matched = list(dict.fromkeys(each for pattern in request.patterns for each in matching(pattern)))
    if request.patterns:
        if not matched:
            raise Refused(Code.BADCOMPARATOR, texts.NO_COMPARATOR)
        session.enable(replace(session.client, comparator=matched[0]))
    words = [b"* COMPARATOR", _name(session.client.comparator)]
    if len(matched) > 1:
        # RFC 5255 §4.8: the list is there only if more than one matches
        words.append(b"(%b)" % b" ".join(map(_name, matched)))
    session.write(b" ".join(words) + b"\r\n")


def _name(comparator: Comparator) -> bytes:
    return astring(comparator.value.encode("ascii"))
