"""SETACL (RFC 4314 §3.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mektup.imap import access, identifiers, texts
from mektup.terms.errors import Code, Refused
from mektup.terms.rights import ALL
from mektup.wire.requests import SetAcl

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation


async def run(session: Conversation, request: SetAcl) -> None:
    """Changes the rights of an identifier. Raises Refused, with CANNOT where the owner would have fewer rights."""
    located = await access.locate(session, request.mailbox, "a")
    identifier = await identifiers.resolve(session, located.account, request.identifier)
    if identifier.is_owner:
        await access.require_there(located)
        rights = request.change.applied(frozenset() if identifier.is_negative else ALL)
        if bool(rights) if identifier.is_negative else rights != ALL:
            raise Refused(Code.CANNOT, texts.OWNER_HAS_ALL)
        return
    await located.account.access_lists.change(located.name, identifier.key, request.change)
