"""DELETED-STORAGE of STATUS (RFC 9208 §4.1.4): the octets that an EXPUNGE of a mailbox would free."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from mektup.imap.by_account import by_account
from mektup.store.interface import Mailbox

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation

ITEM: Final = "DELETED-STORAGE"

_READABLE: Final = frozenset("r")


async def deleted_octets(session: Conversation, mailboxes: Iterable[Mailbox]) -> Mapping[str, int]:
    """The octets of the messages with \\Deleted, by the name of the mailbox; read at once for each account."""
    octets: dict[str, int] = {}
    for account, group in await by_account(session, mailboxes, _READABLE):
        for number, deleted in (await account.quota.deleted_octets(tuple(group))).items():
            octets[group[number].name] = deleted
    return octets
