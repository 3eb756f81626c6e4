"""ENABLE (RFC 9051 §6.3.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mektup.wire.requests import Enable

if TYPE_CHECKING:
    from mektup.imap.session import Session


async def run(session: Session, request: Enable) -> bytes | None:
    """Turns on what the client says it understands; names that cannot be enabled are passed over."""
    enabled = []
    if "IMAP4REV2" in request.capabilities and not session.rev2:
        session.rev2 = True
        enabled.append(b"IMAP4rev2")
    if "CONDSTORE" in request.capabilities and not session.condstore:
        session.condstore = True
        enabled.append(b"CONDSTORE")
    session.write(b" ".join([b"* ENABLED", *enabled]) + b"\r\n")
    return None
