"""Flag words as the wire shows them: a cache, since a mailbox has few different ones.

What a flag word of an account stands for never changes, so what one session has spelled, others know.
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

from mektup.store.interface import Account

MOST_SHARED = 64
"""How many words of an account sessions share: where there are more, most are rare."""


class FlagWords(dict[int, bytes]):
    """From a flag word of one account to its flags, joined by spaces, without parentheses."""

    __slots__ = ("_account", "shared")

    def __init__(self, account: Account) -> None:
        super().__init__()
        self._account = account
        self.shared = _SHARED.setdefault(account, {})
        """Words that were seen in this account, by this session or another; MOST_SHARED where some may be missing."""

    def __missing__(self, word: int) -> bytes:
        flags = self.shared.get(word)
        if flags is None:
            flags = " ".join(self._account.flag_names(word)).encode("ascii")
            if len(self.shared) < MOST_SHARED:
                self.shared[word] = flags
        self[word] = flags
        return flags

    def with_recent(self, word: int) -> bytes:
        """The same with \\Recent at its end (RFC 3501 §2.3.2)."""
        flags = self[word]
        return b"%b \\Recent" % flags if flags else b"\\Recent"


_SHARED: WeakKeyDictionary[Account, dict[int, bytes]] = WeakKeyDictionary()
