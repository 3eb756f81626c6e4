"""Flag words as the wire shows them: a cache, since a mailbox has few different ones.

What a flag word of an account stands for never changes, so what one session has spelled, others know. But a client
must hear of a keyword by FLAGS before a FETCH shows it (RFC 9051 §7.3.5), and what is read of the store may be newer
than all that the client was told. So words belong to one selected mailbox, and one that has a keyword which is new to
the client is spelled only after FLAGS was said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from weakref import WeakKeyDictionary

from mektup.imap.view import View
from mektup.store.interface import Account
from mektup.terms.flags import without_what_is_no_flag
from mektup.terms.limits import MIB

MOST_SHARED = 64
"""How many words of an account sessions share: where there are more, most are rare."""

MOST_SHARED_OCTETS = MIB // 4
"""How many octets these may have."""

MOST_OCTETS = 4 * MIB
"""How much a session remembers; when there is more, it begins anew."""


class FlagWords(dict[int, bytes]):
    """From a flag word to its flags, joined by spaces, without parentheses; of one view.

    To spell a word may write FLAGS, so it has to be done before the line begins that shows it.
    """

    __slots__ = ("_account", "_announce", "_octets", "_view", "shared", "widest")

    def __init__(self, account: Account, view: View, announce: Callable[[tuple[str, ...]], None]) -> None:
        """*announce* takes keywords that are new to the client, and tells them."""
        super().__init__()
        self._account = account
        self._view = view
        self._announce = announce
        self._octets = 0
        self.widest = 0
        """Octets of the longest that was spelled."""
        self.shared = _SHARED.setdefault(account, {})
        """Words that were seen in this account, by this session or another; where there are many, not all."""

    @property
    def shared_are_all(self) -> bool:
        """Whether every word that was spelled is among the shared ones."""
        return len(self.shared) < MOST_SHARED and sum(map(len, self.shared.values())) <= MOST_SHARED_OCTETS

    def spell(self, words: Iterable[int]) -> None:
        """Has *words* taken into account in ``widest``."""
        for word in words:
            self[word]

    def __missing__(self, word: int) -> bytes:
        names = without_what_is_no_flag(self._account.flag_names(word))
        if new := self._view.new_keywords(names):
            self._announce(new)
        flags = self.shared.get(word)
        if flags is None:
            flags = " ".join(names).encode("ascii")
            if self.shared_are_all:
                self.shared[word] = flags
        if self._octets > MOST_OCTETS:
            self.clear()
            self._octets = 0
        self._octets += len(flags)
        self.widest = max(self.widest, len(flags))
        self[word] = flags
        return flags

    def told(self) -> list[tuple[int, bytes]]:
        """Those of the shared words that can be shown now, as the client has heard of each of their keywords."""
        told: list[tuple[int, bytes]] = []
        for word, flags in self.shared.items():
            if word not in self:
                if self._view.new_keywords(self._account.flag_names(word)):
                    continue
                self[word] = flags
                self.widest = max(self.widest, len(flags))
            told.append((word, flags))
        return told

    def with_recent(self, word: int) -> bytes:
        """The flags of *word* and \\Recent."""
        return with_recent(self[word])


def with_recent(flags: bytes) -> bytes:
    """*flags* with \\Recent at their end (RFC 3501 §2.3.2)."""
    return b"%b \\Recent" % flags if flags else b"\\Recent"


_SHARED: WeakKeyDictionary[Account, dict[int, bytes]] = WeakKeyDictionary()
