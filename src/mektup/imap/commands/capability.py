"""CAPABILITY (RFC 9051 §6.1.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mektup.imap.capabilities import capabilities
from mektup.wire.requests import Capability

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation


async def run(session: Conversation, request: Capability) -> None:
    """Lists what the server can do now."""
    session.write(b"* CAPABILITY %b\r\n" % " ".join(capabilities(session)).encode("ascii"))
