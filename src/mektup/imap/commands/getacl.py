"""GETACL (RFC 4314 §3.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mektup.imap import access, identifiers
from mektup.terms.rights import spelled
from mektup.wire.mailbox_names import encode
from mektup.wire.requests import GetAcl

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation


async def run(session: Conversation, request: GetAcl) -> None:
    """Tells the list of a mailbox. Raises Refused."""
    located = await access.locate(session, request.mailbox, "a")
    entries = await located.account.access_lists.of(located.name)
    utf8 = session.client.utf8
    words = [b"* ACL", encode(located.shown, utf8=utf8)]
    for name, rights in await identifiers.named(session, located.account, entries):
        words += identifiers.on_the_wire(name, utf8=utf8), spelled(rights)
    session.write(b" ".join(words) + b"\r\n")
