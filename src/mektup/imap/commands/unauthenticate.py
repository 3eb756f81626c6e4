"""UNAUTHENTICATE (RFC 8437 §3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mektup.imap import texts
from mektup.terms.errors import ClientError
from mektup.wire.requests import Unauthenticate

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation


async def run(session: Conversation, request: Unauthenticate) -> None:
    """Returns to the not authenticated state; only TLS and the client's ID stay.

    Raises ClientError on a compressed connection. RFC 8437 §4.1 ends the compression at a place in the client's stream
    that only the client knows before it has the answer. So the command is not announced there, and a command that is
    not announced is answered by BAD.
    """
    if session.peer.compressed:
        raise ClientError(texts.NOT_WHILE_COMPRESSED)
    session.leave()
