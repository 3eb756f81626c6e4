"""ENABLE (RFC 9051 §6.3.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from mektup.wire.requests import Enable

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation


async def run(session: Conversation, request: Enable) -> None:
    """Enables the extensions that the client names; ignores names that cannot be enabled."""
    client, enabled = session.client, []
    if "IMAP4REV2" in request.capabilities and not client.rev2:
        client = replace(client, rev2=True, utf8=True)
        enabled.append(b"IMAP4rev2")
    # RFC 7162 §3.2.3: QRESYNC enables CONDSTORE too, whether or not the client names it
    resyncs = "QRESYNC" in request.capabilities and not client.qresync
    if resyncs or "CONDSTORE" in request.capabilities:
        client = replace(client, condstore=True)
        enabled.append(b"CONDSTORE")
    if resyncs:
        client = replace(client, qresync=True)
        enabled.append(b"QRESYNC")
    session.enable(client)
    session.write(b" ".join([b"* ENABLED", *enabled]) + b"\r\n")
