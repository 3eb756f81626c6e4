"""The rights that an access control list gives on a mailbox (RFC 4314 §2.1): each is a lower-case letter."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

Rights = frozenset[str]

ALL: Final[Rights] = frozenset("lrswipkxtea")
"""Every right. The owner of a mailbox always has them."""

NONE: Final[Rights] = frozenset()

KNOWING: Final[Rights] = frozenset("lrikxa")
"""Who has none of these may not ask for the rights on a mailbox, as if it did not exist (RFC 4314 §4, MYRIGHTS)."""

OBSOLETE: Final = {"c": frozenset("kx"), "d": frozenset("te")}
"""The rights of RFC 2086 that stand for others: shown where any of these is there (RFC 4314 §2.1.1)."""

_ORDER: Final = "lrswipkxtecda"

OF_FLAGS: Final = {"\\seen": "s", "\\deleted": "t"}
"""The right to change a flag, by the flag in lower case; ``w`` for all others (RFC 4314 §4)."""

WRITING: Final[Rights] = frozenset("ieswt")
"""Without any of these, a mailbox is read-only (RFC 4314 §5.2). All flags are shared between users here."""


FLAGGING: Final[Rights] = frozenset("swt")
"""The rights to change flags."""


def permitted(flags: Iterable[str], rights: Rights) -> list[str]:
    """Those of *flags* that *rights* allow to change."""
    return [flag for flag in flags if OF_FLAGS.get(flag.lower(), "w") in rights]


def spelled(rights: Rights) -> bytes:
    """The letters of *rights* for MYRIGHTS and ACL responses, with the obsolete ones."""
    obsolete = {letter for letter, members in OBSOLETE.items() if rights & members}
    return "".join(letter for letter in _ORDER if letter in rights or letter in obsolete).encode("ascii")


class RightsChange(Struct, frozen=True):
    """The third argument of SETACL (RFC 4314 §3.1)."""

    how: str
    """``+`` adds the rights, ``-`` removes them; empty: they replace the present ones."""
    rights: Rights

    def applied(self, before: Rights) -> Rights:
        """The rights after the change."""
        if self.how == "+":
            return before | self.rights
        return before - self.rights if self.how == "-" else self.rights
