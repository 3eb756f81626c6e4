"""The metadata of mailboxes that a client gets: stored entries, and the special use (RFC 5464, RFC 6154 §4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from mektup.imap.by_account import by_account
from mektup.store.interface import Mailbox
from mektup.store.metadata import Wanted
from mektup.store.rules.metadata import is_wanted

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation

SPECIAL_USE: Final = "/private/specialuse"
"""Computed from the mailbox; it cannot be set."""

ONE_OF: Final = frozenset("rswip")
"""RFC 5464 §3.3: one of these rights, beside ``l``; others may not read or set entries of a mailbox."""


async def metadata_of(
    session: Conversation, mailboxes: Iterable[Mailbox], wanted: Wanted
) -> Mapping[str, Mapping[str, bytes]]:
    """The wanted entries by the mailbox's name, read at once for each account; names of entries ascend.

    Mailboxes whose metadata the client may not read are missing.
    """
    user = session.mail.id
    told: dict[str, Mapping[str, bytes]] = {}
    for account, group in await by_account(session, mailboxes, ONE_OF):
        for number, entries in (await account.metadata.entries(tuple(group), user, wanted)).items():
            mailbox, found = group[number], dict(entries)
            if mailbox.special_use is not None and is_wanted(SPECIAL_USE, wanted):
                found[SPECIAL_USE] = mailbox.special_use.encode("ascii")
            told[mailbox.name] = dict(sorted(found.items()))
    return told
