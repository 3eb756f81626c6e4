"""What an account shares: the access control lists of its mailboxes (RFC 4314 §2).

A list maps identifiers to rights. An *identifier* is the ID of an account, never its name, so a new account with the
name of a removed one gets nothing; or ANYONE; or one of these after a dash: rights that are taken away from it. The
owner is in no list, because the owner always has all rights. ``rules.access_lists`` has the rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from mektup.terms.numbers import AccountId, MailboxId
from mektup.terms.rights import Rights, RightsChange

ANYONE: Final = "anyone"
"""The identifier of everybody."""


@dataclass(frozen=True, slots=True)
class SharedMailboxes:
    """The mailboxes of an account on which one other account has any right."""

    by_name: Mapping[str, Rights] = field(default_factory=dict)
    by_id: Mapping[MailboxId, Rights] = field(default_factory=dict)
    ids: Mapping[str, MailboxId] = field(default_factory=dict)
    """By name."""


class AccessLists(Protocol):
    """The access control lists of an account. A change of one takes a modseq, and fires the watches of the mailbox.

    A mailbox keeps its list when it is renamed. A new mailbox gets that of the nearest mailbox above it (RFC 4314 §4).
    """

    async def shared_with(self, reader: AccountId) -> SharedMailboxes:
        """What the account *reader* may do here. The store remembers it until a name or a list changes."""

    async def of(self, name: str) -> Mapping[str, Rights]:
        """The list of a mailbox, by identifier, in the order of the identifiers. Raises Refused(NONEXISTENT)."""

    async def change(self, name: str, identifier: str, change: RightsChange) -> None:
        """Changes the rights of *identifier* on a mailbox; without any right left, it is removed from the list.

        Raises Refused(NONEXISTENT; LIMIT for too many identifiers in the list, and for too many accounts that share
        with the same account).
        """
