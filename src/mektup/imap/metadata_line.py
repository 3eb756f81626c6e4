"""The METADATA response (RFC 5464 §4.4.1), for GETMETADATA and LIST RETURN (METADATA ...)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mektup.wire.mailbox_names import encode
from mektup.wire.strings import astring, literal8, nstring

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation


async def tell_metadata(session: Conversation, mailbox: str, values: Mapping[str, bytes | None]) -> None:
    """Writes ``* METADATA mailbox (entry value ...)``; nothing where there are no *values*."""
    if not values:
        return
    before = b"* METADATA %b (" % encode(mailbox, utf8=session.client.utf8)
    session.peer.in_response = True
    for entry, value in values.items():
        session.write(b"%b%b %b" % (before, astring(entry.encode("ascii")), _nstring8(value)))
        before = b" "
        await session.give_way()
    session.write(b")\r\n")
    session.peer.in_response = False


def _nstring8(value: bytes | None) -> bytes:
    # RFC 9051 §4.3.1: a NUL needs a literal8
    return literal8(value) if value is not None and b"\0" in value else nstring(value)
