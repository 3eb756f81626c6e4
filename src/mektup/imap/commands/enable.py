"""ENABLE (RFC 9051 §6.3.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mektup.imap import modseqs
from mektup.wire.requests import Enable

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation


async def run(session: Conversation, request: Enable) -> None:
    """Enables the extensions that the client names; ignores names that cannot be enabled."""
    enabled = []
    if "IMAP4REV2" in request.capabilities and not session.rev2:
        session.rev2 = True
        if session.view is not None:
            session.view.plan = None  # it was made for the other revision
        enabled.append(b"IMAP4rev2")
    # RFC 7162 §3.2.3: QRESYNC enables CONDSTORE too, whether or not the client names it
    resyncs = "QRESYNC" in request.capabilities and not session.qresync
    if resyncs or "CONDSTORE" in request.capabilities:
        modseqs.use(session)
        enabled.append(b"CONDSTORE")
    if resyncs:
        session.qresync = True
        enabled.append(b"QRESYNC")
    session.write(b" ".join([b"* ENABLED", *enabled]) + b"\r\n")
