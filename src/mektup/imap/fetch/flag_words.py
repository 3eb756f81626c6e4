"""The wire form of flag words, for one selected mailbox. A mailbox has few different ones.

A client must hear of a keyword in FLAGS before a FETCH line shows it (RFC 9051 §7.3.5), and rows of the store may be
newer than anything the client was told. So each selected mailbox has its own words, and a word with a keyword that is
new to the client is rendered only after FLAGS is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache

from mektup.imap.sync.view import View
from mektup.store.interface import Account
from mektup.terms.flags import without_invalid_flags
from mektup.terms.limits import KIB, MIB

MOST_LISTED = 64
"""The most words of an account from which the store builds lines. In an account with more words, most are rare."""

MOST_LISTED_OCTETS = 16 * KIB
"""The most octets of these words."""

MOST_OCTETS = 4 * MIB
"""The most octets of the words of a session; when there are more, they are cleared."""

FEW_FLAGS = 8
"""The most flags of a word that sessions share."""


class FlagWords(dict[int, bytes]):
    """Maps a flag word to its flags, separated by spaces, without parentheses; for one view.

    Looking a word up may write FLAGS, so do it before the line that shows the word begins.
    """

    __slots__ = ("_account", "_announce", "_octets", "_view", "widest")

    def __init__(self, account: Account, view: View, announce: Callable[[tuple[str, ...]], None]) -> None:
        """*announce* tells the client keywords that are new to it."""
        super().__init__()
        self._account = account
        self._view = view
        self._announce = announce
        self._octets = 0
        self.widest = 0
        """Octets of the longest flags that were looked up."""

    def look_up(self, words: Iterable[int]) -> None:
        """Looks *words* up, so that ``widest`` includes them."""
        for word in words:
            self[word]

    def __missing__(self, word: int) -> bytes:
        names = without_invalid_flags(self._account.flag_names(word))
        if new := self._view.new_keywords(names):
            self._announce(new)
        return self._keep(word, names)

    def _keep(self, word: int, names: tuple[str, ...]) -> bytes:
        flags = _few_spelled(names) if len(names) <= FEW_FLAGS else _spelled(names)
        if self._octets > MOST_OCTETS:
            self.clear()
            self._octets = 0
        self._octets += len(flags)
        self.widest = max(self.widest, len(flags))
        self[word] = flags
        return flags

    def told(self) -> list[tuple[int, bytes]] | None:
        """The words of the account that may be shown now, because the client knows each of their keywords.

        They are words that any session has looked up. None where these are many or long.
        """
        known = self._account.known_words(MOST_LISTED)
        if known is None:
            return None
        told: list[tuple[int, bytes]] = []
        octets = 0
        for word, names in known:
            flags = self.get(word)
            if flags is None:
                if self._view.new_keywords(names):
                    continue
                flags = self._keep(word, without_invalid_flags(names))
            octets += len(flags)
            told.append((word, flags))
        return told if octets <= MOST_LISTED_OCTETS else None

    def with_recent(self, word: int) -> bytes:
        """The flags of *word* and \\Recent."""
        return with_recent(self[word])


def with_recent(flags: bytes) -> bytes:
    """*flags* with \\Recent at their end (RFC 3501 §2.3.2)."""
    return b"%b \\Recent" % flags if flags else b"\\Recent"


def _spelled(names: tuple[str, ...]) -> bytes:
    return " ".join(names).encode("ascii")


_few_spelled = lru_cache(1024)(_spelled)
"""Most words have few flags, and are the same in most accounts."""
