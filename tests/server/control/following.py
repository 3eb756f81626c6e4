"""A session in memory that is followed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from mektup.imap.session import ImapSession
from mektup.lmtp.session import LmtpSession
from mektup.pop3.session import Pop3Session
from mektup.server.control.messages import Side
from mektup.server.control.session_tap import SessionTap
from mektup.session.line_session import LineSession
from mektup.session.services import Services
from tests.support.memory import Clock, MemoryPeer

SESSIONS: dict[str, type[ImapSession] | type[LineSession]] = {
    "imap": ImapSession,
    "pop3": Pop3Session,
    "lmtp": LmtpSession,
}


class FollowedPeer(MemoryPeer):
    """A peer that tells a tap what the session writes, as a TracedConnection does."""

    tap: SessionTap | None = None

    def write(self, octets: bytes) -> None:
        super().write(octets)
        if self.tap is not None:
            self.tap.answered(octets)


async def followed(
    services: Services, protocol: str, pieces: Sequence[bytes], *, content: bool = False, by_octet: bool = False
) -> list[str]:
    """What the trace of a session shows whose client sends *pieces*, each when the one before was read."""
    shown: list[str] = []

    def tell(side: Side, line: bytes, begins: bool) -> None:
        shown.append(f"{side}: {line.decode('utf-8', 'backslashreplace')}")

    peer = FollowedPeer(Clock(), secure=True, by_octet=by_octet)
    session = SESSIONS[protocol](peer, services)
    tap = SessionTap(protocol, tell, wants_content=content, is_amid=False, is_stranger=True)
    session.tap = peer.tap = tap
    running = asyncio.create_task(session.run())
    for piece in pieces:
        peer.send(piece)
        while peer.has_unread and not running.done():
            await asyncio.sleep(0)
    peer.end()
    await running
    return shown
