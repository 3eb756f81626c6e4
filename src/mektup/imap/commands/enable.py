"""ENABLE (RFC 9051 §6.3.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from mektup.imap.sync import updates
from mektup.wire.requests import Enable

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation


async def run(session: Conversation, request: Enable) -> None:
    """Enables the extensions that the client names; ignores names that cannot be enabled."""
    client, enabled = session.client, []
    known = [name for name in request.capabilities if name not in session.hidden]
    if "IMAP4REV2" in known and not client.rev2:
        client = replace(client, rev2=True, utf8=True)
        enabled.append(b"IMAP4rev2")
    if "UTF8=ACCEPT" in known and not client.utf8_accept:
        client = replace(client, utf8_accept=True, utf8=True)
        enabled.append(b"UTF8=ACCEPT")
    # RFC 7162 §3.2.3: QRESYNC enables CONDSTORE too, whether or not the client names it
    resyncs = "QRESYNC" in known and not client.qresync
    if resyncs or "CONDSTORE" in known:
        client = replace(client, condstore=True)
        enabled.append(b"CONDSTORE")
    if resyncs:
        client = replace(client, qresync=True)
        enabled.append(b"QRESYNC")
    if "UIDONLY" in known and not client.uidonly:
        client = replace(client, uidonly=True)
        enabled.append(b"UIDONLY")
    session.enable(client)
    session.write(b" ".join([b"* ENABLED", *enabled]) + b"\r\n")
    if client.uidonly:
        updates.end_numbered_contexts(session)
