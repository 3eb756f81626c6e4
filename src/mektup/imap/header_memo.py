"""Header fields that clients ask for again and again, kept by the process as they stand on the wire.

A mail client opens a folder by asking the same fields of every message, as do the user's other devices. What a
message's header says never changes, so the choice made of it once is kept, by content, up to a number of octets for
each set of fields.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

from mektup.terms.limits import MIB
from mektup.terms.numbers import AccountId, ContentId
from mektup.wire.fetch_items import Section

MEMO_BYTES = 16 * MIB
"""Of one memo; when it is full it starts anew."""

MEMOS = 4
"""How many a process has; that which was not used for longest goes."""

ENTRY_BYTES = 120
"""What an entry takes beside its octets."""


class HeaderMemo(dict[ContentId, bytes]):
    """From contents of one account to the fields chosen of their headers, each a literal."""

    __slots__ = ("_octets",)

    def __init__(self) -> None:
        super().__init__()
        self._octets = 0

    def learn(self, entries: Mapping[ContentId, bytes]) -> None:
        """Takes in *entries*, of which some may be known; they are all there when it returns."""
        new = sum(len(fields) + ENTRY_BYTES for content, fields in entries.items() if content not in self)
        if self._octets + new > MEMO_BYTES:
            self.clear()
            new = sum(len(fields) + ENTRY_BYTES for fields in entries.values())
            self._octets = 0
        self.update(entries)
        self._octets += new


_MEMOS: OrderedDict[tuple[AccountId, Section], HeaderMemo] = OrderedDict()


def memo_of(account: AccountId, section: Section) -> HeaderMemo:
    """The memo of *account* for *section*, which names header fields of the message itself."""
    key = (account, section)
    memo = _MEMOS.pop(key, None)
    if memo is None:
        memo = HeaderMemo()
    _MEMOS[key] = memo
    while len(_MEMOS) > MEMOS:
        _MEMOS.popitem(last=False)
    return memo
