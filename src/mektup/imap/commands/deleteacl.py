"""DELETEACL (RFC 4314 §3.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mektup.imap import access, identifiers, texts
from mektup.terms.errors import Code, Refused
from mektup.terms.rights import NONE, RightsChange
from mektup.wire.requests import DeleteAcl

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation


NOTHING = RightsChange("", NONE)


async def run(session: Conversation, request: DeleteAcl) -> None:
    """Removes an identifier from a list. Raises Refused, with CANNOT for the owner."""
    located = await access.locate(session, request.mailbox, "a")
    identifier = await identifiers.resolve(session, located.account, request.identifier)
    if identifier.is_owner:
        await access.require_there(located)
        if not identifier.is_negative:
            raise Refused(Code.CANNOT, texts.OWNER_HAS_ALL)
        return
    await located.account.access_lists.change(located.name, identifier.key, NOTHING)
