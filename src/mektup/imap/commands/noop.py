"""NOOP (RFC 9051 §6.1.2): nothing but a chance to be told what changed, which its row in the table gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mektup.wire.requests import Noop

if TYPE_CHECKING:
    from mektup.imap.session import ImapSession


async def run(session: ImapSession, request: Noop) -> bytes | None:
    """Does nothing."""
    return None
