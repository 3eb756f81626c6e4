"""Names and IDs of accounts, and their refusals."""

from __future__ import annotations

import secrets
import unicodedata
from typing import TypeVar

from mektup.store import texts
from mektup.store.access_lists import ANYONE
from mektup.terms.errors import Code, Refused
from mektup.terms.names import account_key
from mektup.terms.numbers import AccountId

T = TypeVar("T")


def new_account_id() -> AccountId:
    """A new, unique account ID. Paths use it, so that a user's name never becomes a path."""
    return AccountId(secrets.token_hex(16))


def canonical(name: str) -> str:
    """The *name* of a new account in NFC. Raises Refused(CANNOT) for an invalid name."""
    name = unicodedata.normalize("NFC", name)
    if not name or "/" in name or any(unicodedata.category(character) in ("Cc", "Cs") for character in name):
        raise Refused(Code.CANNOT, texts.ACCOUNT_NAME_RULES)
    if account_key(name) == ANYONE:
        raise Refused(Code.CANNOT, texts.ACCOUNT_NAME_ANYONE)
    return name


def require_there(entry: T | None) -> T:
    """Returns *entry*, an account. Raises Refused(NONEXISTENT) for None."""
    if entry is None:
        raise Refused(Code.NONEXISTENT, texts.NO_ACCOUNT)
    return entry


def name_is_taken() -> Refused:
    """The refusal to add an account with the name of another account."""
    return Refused(Code.ALREADYEXISTS, texts.ACCOUNT_EXISTS)


def account_is_gone() -> Refused:
    """The refusal for sessions of an account that was removed."""
    return Refused(Code.UNAVAILABLE, texts.ACCOUNT_GONE)
