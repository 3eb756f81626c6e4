"""Flag words as the wire shows them: a cache, since a mailbox has few different ones."""

from __future__ import annotations

from mektup.store.interface import Account


class FlagWords(dict[int, bytes]):
    """From a flag word of one account to its flags, joined by spaces, without parentheses."""

    __slots__ = ("_account",)

    def __init__(self, account: Account) -> None:
        super().__init__()
        self._account = account

    def __missing__(self, word: int) -> bytes:
        flags = " ".join(self._account.flag_names(word)).encode("ascii")
        self[word] = flags
        return flags

    def with_recent(self, word: int) -> bytes:
        """The same with \\Recent at its end (RFC 3501 §2.3.2)."""
        flags = self[word]
        return b"%b \\Recent" % flags if flags else b"\\Recent"
