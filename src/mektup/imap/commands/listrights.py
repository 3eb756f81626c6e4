"""LISTRIGHTS (RFC 4314 §3.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mektup.imap import access, identifiers
from mektup.terms.rights import ALL, spelled
from mektup.wire.mailbox_names import encode
from mektup.wire.requests import ListRights

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation


async def run(session: Conversation, request: ListRights) -> None:
    """Tells which rights an identifier can get: the owner always has all, others can get each by itself.

    Raises Refused.
    """
    located = await access.locate(session, request.mailbox, "a")
    identifier = await identifiers.resolve(session, located.account, request.identifier)
    await access.require_there(located)
    utf8 = session.client.utf8
    # RFC 4314 §3.4: the identifier as the client wrote it
    words = [b"* LISTRIGHTS", encode(located.shown, utf8=utf8), identifiers.on_the_wire(request.identifier, utf8=utf8)]
    letters = spelled(ALL)  # RFC 4314 §3.7: no right is tied to another one, and none is listed twice
    if not identifier.is_owner:
        words += b'""', *(letters[place : place + 1] for place in range(len(letters)))
    else:
        words.append(b'""' if identifier.is_negative else letters)
    session.write(b" ".join(words) + b"\r\n")
