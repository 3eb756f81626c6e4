"""Metadata in any engine: whose an entry is, which entries a reader wants, and how many there may be (RFC 5464)."""

from __future__ import annotations

from typing import Final

from mektup.store import texts
from mektup.store.metadata import Values, Wanted
from mektup.terms.errors import Code, Refused
from mektup.terms.limits import Limits
from mektup.terms.numbers import AccountId

NOBODY: Final = AccountId("")
"""The user of a shared entry."""

_PRIVATE: Final = "/private/"


def user_of(entry: str, user: AccountId) -> AccountId:
    """Whose *entry* it is when *user* names it."""
    return user if entry.startswith(_PRIVATE) else NOBODY


def is_wanted(entry: str, wanted: Wanted) -> bool:
    """Whether *entry* is one of the wanted ones."""
    for name in wanted.names:
        if entry == name:
            return True
        below = entry.removeprefix(f"{name}/")
        if below != entry and (wanted.depth is None or below.count("/") < wanted.depth):
            return True
    return False


def require_small(values: Values, limits: Limits) -> None:
    """Raises Refused(METADATA_MAXSIZE) where a value is too large (RFC 5464 §4.3)."""
    most = limits.metadata_value_bytes
    if any(value is not None and len(value) > most for value in values.values()):
        raise too_large(most)


def too_large(most: int) -> Refused:
    """The refusal of a value of more than *most* octets."""
    return Refused(Code.METADATA_MAXSIZE, texts.METADATA_TOO_LARGE.of(octets=most), argument=str(most))


def require_few(entries: int, octets: int, limits: Limits) -> None:
    """Raises Refused(METADATA_TOOMANY) for so many *entries* of a user on a mailbox, or *octets* in an account."""
    if entries > limits.metadata_entries:
        raise Refused(Code.METADATA_TOOMANY, texts.METADATA_TOO_MANY.of(most=limits.metadata_entries))
    if octets > limits.metadata_bytes:
        raise Refused(Code.METADATA_TOOMANY, texts.METADATA_FULL.of(octets=limits.metadata_bytes))
