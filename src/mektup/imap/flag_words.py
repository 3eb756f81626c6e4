"""A cache of flag words in their wire form. A mailbox has few different ones.

The meaning of a flag word never changes within an account, so sessions share rendered words. But a client must hear of
a keyword in FLAGS before a FETCH line shows it (RFC 9051 §7.3.5), and rows of the store may be newer than anything the
client was told. So each selected mailbox has its own cache, and a word with a keyword that is new to the client is
rendered only after FLAGS is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from weakref import WeakKeyDictionary

from mektup.imap.view import View
from mektup.store.interface import Account
from mektup.terms.flags import without_invalid_flags
from mektup.terms.limits import MIB

MOST_SHARED = 64
"""The most words of an account that sessions share. In an account with more words, most are rare."""

MOST_SHARED_OCTETS = MIB // 4
"""The most octets of the shared words of an account."""

MOST_OCTETS = 4 * MIB
"""The most octets in the cache of a session; a larger cache is cleared."""


class FlagWords(dict[int, bytes]):
    """Maps a flag word to its flags, separated by spaces, without parentheses; for one view.

    Looking a word up may write FLAGS, so do it before the line that shows the word begins.
    """

    __slots__ = ("_account", "_announce", "_octets", "_view", "shared", "widest")

    def __init__(self, account: Account, view: View, announce: Callable[[tuple[str, ...]], None]) -> None:
        """*announce* tells the client keywords that are new to it."""
        super().__init__()
        self._account = account
        self._view = view
        self._announce = announce
        self._octets = 0
        self.widest = 0
        """Octets of the longest flags that were looked up."""
        self.shared = _SHARED.setdefault(account, {})
        """Words of this account that any session has looked up; not all of them if there are many."""

    @property
    def shared_are_all(self) -> bool:
        """Whether *shared* has every word that was looked up."""
        return len(self.shared) < MOST_SHARED and sum(map(len, self.shared.values())) <= MOST_SHARED_OCTETS

    def spell(self, words: Iterable[int]) -> None:
        """Looks *words* up, so that ``widest`` includes them."""
        for word in words:
            self[word]

    def __missing__(self, word: int) -> bytes:
        names = without_invalid_flags(self._account.flag_names(word))
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
        """The shared words that may be shown now, because the client knows each of their keywords."""
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
