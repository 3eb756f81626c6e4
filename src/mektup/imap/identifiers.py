"""Identifiers of access control lists: names for clients, IDs of accounts in the store (RFC 4314 §2).

A name stands for the account that has it now. An account that was removed is in no answer any more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec import Struct

from mektup.auth.preparation import saslprep
from mektup.imap import texts
from mektup.store.access_lists import ANYONE
from mektup.store.interface import Account
from mektup.store.rules.access_lists import NEGATIVE
from mektup.terms.errors import ClientError, Refused
from mektup.terms.numbers import AccountId
from mektup.terms.rights import ALL, Rights
from mektup.wire.strings import astring, quoted

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation


class Identifier(Struct, frozen=True):
    """An identifier that a client named."""

    key: str
    """The identifier in the store."""
    is_owner: bool
    """Whether it means the owner of the mailbox."""
    is_negative: bool


async def resolve(session: Conversation, owner: Account, given: str) -> Identifier:
    """What *given* means in a list of the account *owner*.

    Raises ClientError where it cannot be a name (RFC 4314 §3), Refused where nobody has that name.
    """
    is_negative = given.startswith(NEGATIVE)
    name = given.removeprefix(NEGATIVE)
    account = ANYONE if name == ANYONE else await _account(session, name)
    return Identifier(NEGATIVE + account if is_negative else account, account == owner.id, is_negative)


async def _account(session: Conversation, name: str) -> AccountId:
    find = session.services.store.directory.find
    entry = await find(name)
    if entry is None:
        prepared = saslprep(name)
        if prepared is None:
            raise ClientError(texts.BAD_IDENTIFIER)
        entry = await find(prepared)
    if entry is None:
        raise Refused(None, texts.NO_SUCH_USER)
    return entry.id


async def named(session: Conversation, owner: Account, entries: Mapping[str, Rights]) -> list[tuple[str, Rights]]:
    """A list with names instead of keys: first the owner, who has all rights."""
    accounts = {AccountId(key.removeprefix(NEGATIVE)) for key in entries}
    names = {**await session.services.store.directory.names_of(accounts), AccountId(ANYONE): ANYONE}
    told = [(owner.name, ALL)]
    for key, rights in entries.items():
        name = names.get(AccountId(key.removeprefix(NEGATIVE)))
        if name is not None:
            told.append((NEGATIVE + name if key.startswith(NEGATIVE) else name, rights))
    return told


def on_the_wire(name: str, *, utf8: bool) -> bytes:
    """The identifier *name* as an astring."""
    octets = name.encode()
    return quoted(octets) if utf8 and not octets.isascii() else astring(octets)
