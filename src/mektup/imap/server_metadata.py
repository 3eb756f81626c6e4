"""The metadata of the empty mailbox name (RFC 5464 §3.2.1.1): private entries of the user, and shared ones of all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from mektup.imap import access
from mektup.store.metadata import Wanted
from mektup.store.rules.metadata import is_wanted
from mektup.terms.names import INBOX
from mektup.terms.numbers import ACCOUNT_ITSELF

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation

ADMIN: Final = "/shared/admin"
"""A setting of the operator, which cannot be set by clients."""


async def entries_of_server(session: Conversation, wanted: Wanted) -> Mapping[str, bytes]:
    """The wanted entries of the server: the user's private ones, and the shared ones. Names ascend."""
    account = (await access.locate(session, INBOX)).account
    private = await account.metadata.entries((ACCOUNT_ITSELF,), account.id, wanted)
    found = {**private[ACCOUNT_ITSELF], **await session.services.store.server_metadata.entries(wanted)}
    if session.services.contact and is_wanted(ADMIN, wanted):
        found[ADMIN] = session.services.contact.encode()
    return dict(sorted(found.items()))
